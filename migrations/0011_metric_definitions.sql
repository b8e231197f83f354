-- +goose Up

-- Metrics that people defined. A change is another version, and no version ever
-- changes: experiments keep the ones that their plans fixed at launch.
create table metric_definitions (
    key        text collate "C" not null,
    version    integer not null check (version between 1 and 100),
    definition json not null check (json_typeof(definition) = 'object'),
    created_at timestamptz not null,
    created_by text not null check (created_by <> ''),
    primary key (key, version)
);
create trigger metric_definitions_append_only before update or delete or truncate on metric_definitions
    execute function refuse_change();
