-- How much each scope held when it was last read to its end, so that a reading in which much is missing is taken for
-- broken and not for the truth.

create table scope_count (
    scope_id integer primary key references scope,
    -- The run that counted last, and what it counted (JSON).
    run_id   integer not null references run,
    at       integer not null,
    counted  text    not null,
    -- What later readings are compared with: the last counts that were no collapse, or that somebody accepted.
    baseline text    not null
) strict;
