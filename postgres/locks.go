package postgres

// The keys of advisory locks that stand for one thing of the whole database.
const (
	// lockExposures is held shared by transactions that insert exposures. The
	// job takes it alone for a moment, to know that no exposure recorded before
	// that moment is still on its way.
	lockExposures int64 = 0x53504c4954_01 // "SPLIT", 1
	// lockPartitions is held while a partition is made.
	lockPartitions int64 = 0x53504c4954_02
	// lockSessions is held shared by transactions that merge sessions, and alone
	// by one that tries again after a deadlock with another of them.
	lockSessions int64 = 0x53504c4954_03
	// lockSchedule is held by the replica that takes the steps that are due.
	lockSchedule int64 = 0x53504c4954_04
)

// lockClassLook and an experiment's hash make the key of its look lock.
const lockClassLook int32 = 0x4c4f4f4b // "LOOK"
