-- What people and programs are told, kept until it is delivered or given up: a receiver that is down for an hour, and a
-- restart of amiwarden, lose nothing.

create table notification (
    -- In the order in which they were recorded, which is the order of delivery to one notifier.
    notification_id integer primary key,
    -- The same through all attempts, so that a receiver can tell a repetition.
    delivery_key    text    not null unique,
    -- The notifier by its name in the configuration, and its kind when this was made.
    notifier        text    not null,
    kind            text    not null,
    event           text    not null,
    -- The run's name, also of one that failed before it could be recorded.
    run_key         text    not null,
    -- What is new in it, where the same is not to be told again for a while.
    news            text,
    -- What is sent. Forgotten once it is delivered or given up.
    subject         text    not null,
    body            text,
    state           text    not null check (state in ('pending', 'delivered', 'given-up')),
    attempts        integer not null default 0,
    -- Why the last attempt failed, without any secret.
    last_error      text,
    recorded_at     integer not null,
    -- When it is tried next; nothing once it is delivered or given up.
    next_at         integer,
    settled_at      integer,
    check ((state = 'pending') = (next_at is not null)),
    check ((state = 'pending') = (settled_at is null))
) strict;

create index notification_by_due on notification (next_at) where state = 'pending';
create index notification_by_news on notification (notifier, event, news) where news is not null;
