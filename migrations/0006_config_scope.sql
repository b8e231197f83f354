-- +goose Up

-- The scope config: the whole configuration, for services that evaluate by
-- themselves. It is no part of evaluate, because that one may be public.
alter table api_keys
    drop constraint api_keys_scopes,
    add constraint api_keys_scopes check (
        cardinality(scopes) > 0 and scopes <@ array['evaluate', 'config', 'ingest', 'read', 'write', 'admin']);
