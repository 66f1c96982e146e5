-- What became of each time at which a schedule was due. The newest row of a schedule says where to go on after a
-- restart, so that no time is forgotten and none runs twice.

create table schedule_tick (
    schedule_tick_id integer primary key,
    schedule         text    not null,
    -- The time that the schedule named, its jitter included; of a schedule that is new, when it was first seen.
    due_at           integer not null,
    -- When this was written.
    at               integer not null,
    -- 'started' is written before the run begins: a run that dies is not begun a second time.
    became           text    not null check (became in ('new', 'started', 'busy', 'missed', 'asked')),
    -- The run that was started. It has no row in `run` where it failed before it began.
    run_key          text
) strict;

create index schedule_tick_by_schedule on schedule_tick (schedule, due_at);
