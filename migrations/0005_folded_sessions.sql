-- +goose Up

-- Which sessions were folded from CMCD records. A fold replaces such a session
-- as a whole; the first heartbeat takes its place for good, because the same
-- play told twice must not be added up. The tier cannot tell them apart: a
-- heartbeat may be of any.
alter table sessions add column folded boolean not null default false;
