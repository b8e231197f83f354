-- +goose Up

-- How many CMCD records of a session had the number of another one and said something
-- else. Few sessions have any. It is a table of its own because writers of records lock
-- their sessions before they know of it.
create table cmcd_conflicts (
    session_id text collate "C" primary key,
    conflicts  bigint not null check (conflicts > 0)
);
