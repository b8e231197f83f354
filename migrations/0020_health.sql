-- +goose Up

-- Whether a unit is likely a program, by a rule that is the same in all arms.
alter table outcomes add column suspected boolean not null default false;

-- How many records of a session had the number of another one and said something
-- else. It is no part of the state that is merged: nothing follows from it.
alter table sessions add column conflicts integer not null default 0;
