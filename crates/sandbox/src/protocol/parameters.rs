//! Typed reading of form parameters.
//!
//! Lists are flattened and numbered from 1 (`Owner.1`), structures are dotted (`Filter.1.Name`).

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::ApiError;

/// The parameters of one request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Parameters {
    values: BTreeMap<String, String>,
}

/// One filter: its name, and the values of which one must match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) name: String,
    pub(crate) values: Vec<String>,
}

impl Filter {
    /// Whether any of an object's values matches any of the filter's, `*` and `?` being wildcards.
    pub(crate) fn matches<S: AsRef<str>>(&self, actual: &[S]) -> bool {
        self.values.iter().any(|wanted| actual.iter().any(|value| glob(wanted, value.as_ref())))
    }
}

impl From<BTreeMap<String, String>> for Parameters {
    fn from(values: BTreeMap<String, String>) -> Self {
        Self { values }
    }
}

impl Parameters {
    /// Parses an `application/x-www-form-urlencoded` body or a query string.
    pub(crate) fn parse(form: &[u8]) -> Self {
        Self { values: form_urlencoded::parse(form).into_owned().collect() }
    }

    /// As [`Self::parse`], for AWS query, whose lists are `Names.member.1` where EC2's are `Names.1`.
    pub(crate) fn parse_members(form: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(form);
        Self {
            values: pairs.map(|(key, value)| (key.replace(".member.", "."), value.into_owned())).collect(),
        }
    }

    pub(crate) fn all(&self) -> &BTreeMap<String, String> {
        &self.values
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    pub(crate) fn required(&self, name: &str) -> Result<&str, ApiError> {
        self.text(name).filter(|value| !value.is_empty()).ok_or_else(|| ApiError::missing_parameter(name))
    }

    /// A boolean, false when absent.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.text(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(ApiError::invalid_value(name, other, "Use true or false.")),
        }
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, ApiError> {
        self.text(name)
            .map(|value| {
                value.parse().map_err(|_| ApiError::invalid_value(name, value, "Use a whole number."))
            })
            .transpose()
    }

    pub(crate) fn required_time(&self, name: &str) -> Result<Timestamp, ApiError> {
        let value = self.required(name)?;
        value
            .parse()
            .map_err(|_| ApiError::invalid_value(name, value, "Use a time such as 2027-01-15T08:00:00Z."))
    }

    /// The entries `NAME.1`, `NAME.2`, … in numeric order.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        let mut entries: Vec<(u32, String)> = self
            .under(name)
            .filter_map(|(rest, value)| Some((rest.parse().ok()?, value.to_owned())))
            .collect();
        entries.sort_by_key(|(index, _)| *index);
        entries.into_iter().map(|(_, value)| value).collect()
    }

    /// The structures `NAME.1.…`, `NAME.2.…` in numeric order.
    pub(crate) fn structures(&self, name: &str) -> Vec<Self> {
        let mut entries: BTreeMap<u32, Self> = BTreeMap::new();
        for (rest, value) in self.under(name) {
            if let Some((index, member)) = rest.split_once('.')
                && let Ok(index) = index.parse()
            {
                let structure = entries.entry(index).or_default();
                structure.values.insert(member.to_owned(), value.to_owned());
            }
        }
        entries.into_values().collect()
    }

    /// The filters of a Describe call.
    pub(crate) fn filters(&self) -> Result<Vec<Filter>, ApiError> {
        self.structures("Filter")
            .into_iter()
            .map(|filter| {
                Ok(Filter { name: filter.required("Name")?.to_owned(), values: filter.list("Value") })
            })
            .collect()
    }

    /// Refuses parameters that an action does not have, as EC2 does: a misspelt one must not be lost.
    pub(crate) fn check_names(&self, known: &[&str]) -> Result<(), ApiError> {
        for name in self.values.keys() {
            let first = name.split('.').next().unwrap_or(name);
            if !matches!(first, "Action" | "Version" | "DryRun") && !known.contains(&first) {
                return Err(ApiError::bad_request(
                    "UnknownParameter",
                    format!("The parameter {name} is not recognized"),
                ));
            }
        }
        Ok(())
    }

    fn under<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.values.iter().filter_map(move |(key, value)| {
            let rest = key.strip_prefix(name)?.strip_prefix('.')?;
            Some((rest, value.as_str()))
        })
    }
}

/// Matches `*` (any run of characters) and `?` (one character).
fn glob(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    // Where the last star was, and how much text it has swallowed so far.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&wanted) if wanted == '?' || wanted == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((star_p, star_t)) = star else {
                    return false;
                };
                star = Some((star_p, star_t + 1));
                p = star_p + 1;
                t = star_t + 1;
            }
        }
    }
    pattern[p..].iter().all(|character| *character == '*')
}

#[cfg(test)]
mod tests {
    use super::{Parameters, glob};

    #[test]
    fn lists_and_structures_are_read_in_numeric_order() {
        let parameters = Parameters::parse(
            b"Owner.10=c&Owner.2=b&Owner.1=a&Filter.1.Name=state&Filter.1.Value.1=available\
              &Filter.1.Value.2=two%20words&OwnerAlias.1=no",
        );
        assert_eq!(parameters.list("Owner"), ["a", "b", "c"]);
        let filters = parameters.filters().unwrap();
        assert_eq!(filters.len(), 1);
        assert_eq!(filters[0].values, ["available", "two words"]);
    }

    #[test]
    fn wrong_types_and_names_are_errors() {
        let parameters = Parameters::parse(b"DryRun=yes&MaxResults=many&Imageid=x");
        assert_eq!(parameters.flag("DryRun").unwrap_err().code, "InvalidParameterValue");
        assert!(parameters.number("MaxResults").is_err());
        assert_eq!(parameters.required("ImageId").unwrap_err().code, "MissingParameter");
        let error = parameters.check_names(&["MaxResults"]).unwrap_err();
        assert_eq!(error.code, "UnknownParameter");
        assert!(error.message.contains("Imageid"));
    }

    #[test]
    fn globs() {
        for (pattern, text, expected) in [
            ("web-*", "web-1", true),
            ("web-*", "api-1", false),
            ("*-1?", "web-12", true),
            ("*-1?", "web-1", false),
            ("a*b*c", "aXbYbZc", true),
            ("", "", true),
            ("", "x", false),
            ("*", "", true),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }
}
