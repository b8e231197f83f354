-- +goose Up

-- Units that evaluation gave an arm, counted in bounded memory: the registers of a
-- HyperLogLog, one a byte. Servers merge what they have seen by the larger of each
-- register, so that a unit seen by several counts once. Unlike facts they only grow.
create table assigned_units (
    experiment_id bigint not null,
    version       integer not null,
    arm           smallint not null check (arm >= 0),
    registers     bytea not null constraint assigned_units_registers check (octet_length(registers) = 4096),
    changed_at    timestamptz not null,
    primary key (experiment_id, version, arm)
);

-- What the audit of exposures reads of the log: how holdouts and lists changed.
create index audit_log_arms on audit_log (id)
    where action in ('holdout.create', 'holdout.update', 'list.create', 'list.update', 'list.remove');
