"""Runs every query of a Grafana dashboard through a Prometheus server and fails where one finds nothing.

usage: dashboard-queries.py PROMETHEUS_URL DASHBOARD_JSON

Variables of queries stand for everything, intervals for a minute. The names of rules that failed to load or to
evaluate are told, too.
"""

import json
import re
import sys
import urllib.error
import urllib.parse
import urllib.request

VARIABLES = {"$__rate_interval": "1m", "$__range": "1m", "$account": ".*", "$region": ".*"}


def ask(server, path, **parameters):
    """The data of one answer of the HTTP API."""
    url = f"{server}{path}?{urllib.parse.urlencode(parameters)}"
    try:
        with urllib.request.urlopen(url, timeout=10) as reply:
            return json.load(reply)["data"]
    except urllib.error.HTTPError as error:
        return {"result": [], "error": json.load(error).get("error")}


def queries(dashboard):
    """Every query with where it stands."""
    for variable in dashboard["templating"]["list"]:
        found = re.fullmatch(r"label_values\((.+), (\w+)\)", variable.get("definition", ""))
        if found:
            yield f"variable {variable['name']}", f"count by ({found[2]}) ({found[1]})"
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield f"panel {panel['title']}", target["expr"]


def main():
    server, path = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        dashboard = json.load(file)
    failures, asked = [], 0
    for place, query in queries(dashboard):
        for name, value in VARIABLES.items():
            query = query.replace(name, value)
        answer = ask(server, "/api/v1/query", query=query)
        asked += 1
        if not answer["result"]:
            failures.append(f"{place}: {answer.get('error', 'no data')}: {query}")
    rules = [rule for group in ask(server, "/api/v1/rules")["groups"] for rule in group["rules"]]
    failures += [f"alert {rule['name']}: {rule['lastError']}" for rule in rules if rule["health"] == "err"]
    if not rules:
        failures.append("no alert rule was loaded")
    for failure in failures:
        print(failure, file=sys.stderr)
    print(f"{asked} queries and {len(rules)} alert rules, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
