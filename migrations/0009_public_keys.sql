-- +goose Up

-- A key that anybody may read, because it stands in a page or a player: it
-- evaluates and sends, and nothing else.
alter table api_keys
    add column public boolean not null default false,
    add constraint api_keys_public check (not public or scopes <@ array['evaluate', 'ingest']);
