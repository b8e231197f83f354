-- +goose Up

-- Forms of the launch wizard that are not an experiment yet. They belong to who
-- began them, may hold nonsense, and are removed when nobody touches them.
create table launch_drafts (
    id         text collate "C" primary key check (id <> ''),
    owner      text not null check (owner <> ''),
    form       json not null check (json_typeof(form) = 'object'), -- as sent, by field
    created_at timestamptz not null,
    updated_at timestamptz not null check (updated_at >= created_at)
);
create index launch_drafts_owner on launch_drafts (owner, updated_at);
create index launch_drafts_updated on launch_drafts (updated_at);
