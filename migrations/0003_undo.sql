-- Which intents undo which: an undo is a change like any other, and says what it takes back.

create table undo (
    -- The intent that undoes.
    intent_id        integer not null references intent,
    -- The intent that is undone.
    undone_intent_id integer not null references intent,
    primary key (intent_id, undone_intent_id)
) strict, without rowid;

create index undo_by_undone on undo (undone_intent_id);

create trigger undo_is_not_updated before update on undo
begin
    select raise(abort, 'what an intent undoes is never changed');
end;

create trigger undo_is_not_deleted before delete on undo
begin
    select raise(abort, 'what an intent undoes is never deleted');
end;
