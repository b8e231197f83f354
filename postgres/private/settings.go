package private

import (
	"maps"
	"os"
	"slices"
	"strings"
)

const (
	// port only names the socket file: nothing listens on the network.
	port = "5432"
	// sharedBuffers holds the hot tables of a small node and leaves the rest of
	// the memory to the program and to the page cache.
	sharedBuffers = "256MB"
	// maxWALSize keeps bulk ingest from forcing a checkpoint every few seconds.
	maxWALSize = "4GB"
	// checkpointTimeout spreads page writes; recovery still takes seconds,
	// because it reads no more than maxWALSize.
	checkpointTimeout = "15min"
	// maxConnections is enough for the pools of several server processes; each
	// connection costs some 5 to 10 MB.
	maxConnections = "100"

	settingFsync = "fsync"
)

// fixedSettings are what privacy and supervision rest on. They cannot be changed.
func fixedSettings(dir folder) map[string]string {
	return map[string]string{
		"listen_addresses":        "",
		"port":                    port,
		"unix_socket_directories": quoteList(dir.socket),
		"unix_socket_permissions": "0700",
		// Containers give /dev/shm 64 MB, too little for a parallel hash join.
		"dynamic_shared_memory_type": "mmap",
		// The file that the supervisor opened takes the log.
		"log_destination":   "stderr",
		"logging_collector": "off",
	}
}

// defaultSettings suit one small node. Config.Settings may replace them.
func defaultSettings() map[string]string {
	return map[string]string{
		"shared_buffers":     sharedBuffers,
		"max_wal_size":       maxWALSize,
		"checkpoint_timeout": checkpointTimeout,
		"max_connections":    maxConnections,
		// Full page images dominate the log of upserts; they compress 3 to 5 times.
		"wal_compression": "on",
		// Compiling a plan costs more than our short statements take.
		"jit": "off",
		// Containers may announce huge pages and kill whoever touches them.
		"huge_pages": "off",
		// Errors of statements go to the client that made them; the server's log
		// keeps what concerns the server, and no data of viewers.
		"log_min_messages":        "log",
		"log_min_error_statement": "panic",
		"log_timezone":            "UTC",
		"timezone":                "UTC",
	}
}

// checkEnvironment refuses the variables that overrule a DSN in lib/pq and cannot
// be overruled by one, with an *EnvironmentError.
func checkEnvironment() error {
	for _, name := range []string{"PGHOSTADDR", "PGSERVICE"} {
		if os.Getenv(name) != "" {
			return &EnvironmentError{Name: name}
		}
	}
	return nil
}

// checkSettings refuses settings that only the package may choose, with a
// *SettingError.
func checkSettings(extra map[string]string) error {
	fixed := fixedSettings(folder{})
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		if _, isFixed := fixed[strings.ToLower(name)]; isFixed {
			return &SettingError{Name: name}
		}
	}
	return nil
}

// serverArgs returns the arguments of postgres, in a fixed order.
func serverArgs(dir folder, extra map[string]string) []string {
	settings := defaultSettings()
	maps.Copy(settings, extra)
	maps.Copy(settings, fixedSettings(dir))
	args := []string{"-D", dir.data}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	return args
}

// quoteList quotes one element of a comma-separated list of PostgreSQL.
func quoteList(element string) string {
	return `"` + strings.ReplaceAll(element, `"`, `""`) + `"`
}
