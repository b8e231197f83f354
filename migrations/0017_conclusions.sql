-- +goose Up

-- What was known of a version of an experiment when it was stopped: the newest
-- look of that moment and what it said. Looks never change, and so this does not.
-- It is kept to be searched and counted over hundreds of experiments; what people
-- decided stands in the audit log.
create table conclusions (
    experiment_id bigint not null references experiments (id),
    version       integer not null check (version >= 1),
    stopped_at    timestamptz not null,
    look          integer not null check (look >= 0), -- 0: it was stopped before the first
    looked_at     timestamptz,
    verdict       text not null,
    sentence      text not null,
    findings      json not null check (json_typeof(findings) = 'array'),
    learnt        text not null, -- metrics and what became of them, in words to search
    primary key (experiment_id, version),
    constraint conclusions_looked check ((look > 0) = (looked_at is not null))
);
create trigger conclusions_append_only before update or delete or truncate on conclusions
    execute function refuse_change();
create index conclusions_stopped on conclusions (stopped_at);

-- Finds the decisions about one experiment.
create index audit_log_subject on audit_log (subject, id);
