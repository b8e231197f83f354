-- +goose Up

-- The version of everything that assignment sees. It grows in the transaction
-- of each change, and its row is the lock under which changes are made: the
-- control plane has one writer at a time, so that slots and the audit chain
-- need no other care.
create table config_version (
    singleton boolean primary key default true check (singleton),
    version   bigint not null check (version >= 0)
);
insert into config_version (version) values (0);

-- +goose StatementBegin
create function notify_config() returns trigger language plpgsql as $$
begin
    perform pg_notify('splitcast_config', new.version::text);
    return null;
end
$$;
-- +goose StatementEnd

create trigger config_version_notify after update on config_version
    for each row execute function notify_config();

-- refuse_change guards append-only tables, against programs and people alike.
-- +goose StatementBegin
create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'rows of % are never changed or removed', tg_table_name
        using errcode = 'restrict_violation', table = tg_table_name, constraint = 'append_only';
end
$$;
-- +goose StatementEnd

create table layers (
    id         integer generated always as identity primary key,
    key        text collate "C" not null constraint layers_key_unique unique,
    unit       text not null check (unit in ('viewer', 'broadcaster', 'device', 'session', 'block')),
    salt       text not null check (salt <> ''),
    created_at timestamptz not null
);

create table experiments (
    id          bigint generated always as identity primary key,
    key         text collate "C" not null constraint experiments_key_unique unique,
    version     integer not null check (version >= 1),
    layer_id    integer not null references layers (id),
    salt        text not null check (salt <> ''),
    status      text not null check (status in ('draft', 'running', 'paused', 'stopped', 'archived')),
    spec        json not null check (json_typeof(spec) = 'object'), -- json, not jsonb: kept as written
    plan_hash   text not null check (plan_hash ~ '^[0-9a-f]{64}$'),
    shipped_arm text not null default '',
    created_at  timestamptz not null,
    started_at  timestamptz,
    stopped_at  timestamptz,
    constraint experiments_started check (status in ('draft', 'archived') or started_at is not null),
    constraint experiments_stopped check (status <> 'stopped' or stopped_at is not null)
);
create index experiments_layer on experiments (layer_id);

-- Salts decide arms: a changed one would move every unit.
-- +goose StatementBegin
create function refuse_new_salt() returns trigger language plpgsql as $$
begin
    raise exception 'the salt of % is immutable', tg_table_name
        using errcode = 'restrict_violation', table = tg_table_name, constraint = 'salt_immutable';
end
$$;
-- +goose StatementEnd

create trigger layers_salt before update on layers for each row
    when (new.salt <> old.salt or new.unit <> old.unit) execute function refuse_new_salt();
create trigger experiments_salt before update on experiments for each row
    when (new.salt <> old.salt) execute function refuse_new_salt();

-- Every revision of every experiment, as it was applied.
create table experiment_versions (
    experiment_id bigint not null references experiments (id),
    revision      integer not null check (revision >= 1),
    version       integer not null check (version >= 1),
    spec          json not null,
    plan_hash     text not null,
    slots         int4multirange not null,
    changed_at    timestamptz not null,
    changed_by    text not null check (changed_by <> ''),
    primary key (experiment_id, revision)
);
create trigger experiment_versions_append_only before update or delete or truncate on experiment_versions
    execute function refuse_change();

-- The slots of a layer that an experiment owns while it runs or is paused. A
-- slot has at most one owner: the layer is a range of one number here, because
-- gist has no equality of integers without an extension.
create table layer_slots (
    layer_id      integer not null references layers (id),
    experiment_id bigint not null references experiments (id),
    slots         int4range not null,
    constraint layer_slots_in_layer check (not isempty(slots) and slots <@ int4range(0, 10000)),
    constraint layer_slots_one_owner exclude using gist (
        int4range(layer_id, layer_id, '[]') with &&, slots with &&)
);
create index layer_slots_experiment on layer_slots (experiment_id);

-- What people and keys did, each row sealed with the hash of the row before.
create table audit_log (
    id        bigint primary key check (id >= 1),
    at        timestamptz not null,
    actor     text not null check (actor <> ''),
    action    text not null check (action <> ''),
    subject   text not null,
    detail    json not null, -- not jsonb: the hash covers the text as written
    hash      text not null check (hash ~ '^[0-9a-f]{64}$')
);
create trigger audit_log_append_only before update or delete or truncate on audit_log
    execute function refuse_change();

create table api_keys (
    id         bigint generated always as identity primary key,
    name       text not null check (name <> ''),
    hash       text not null check (hash ~ '^[0-9a-f]{64}$') constraint api_keys_hash_unique unique,
    scopes     text[] not null constraint api_keys_scopes check (
        cardinality(scopes) > 0 and scopes <@ array['evaluate', 'ingest', 'read', 'write', 'admin']),
    created_at timestamptz not null,
    revoked_at timestamptz
);

-- One-time links for a person's log-in; only the hash of the token is kept.
create table login_links (
    token_hash text primary key check (token_hash ~ '^[0-9a-f]{64}$'),
    actor      text not null check (actor <> ''),
    created_at timestamptz not null,
    expires_at timestamptz not null check (expires_at > created_at),
    used_at    timestamptz
);
create index login_links_expires on login_links (expires_at);

create table web_sessions (
    token  text primary key,
    data   bytea not null,
    expiry timestamptz not null
);
create index web_sessions_expiry on web_sessions (expiry);
