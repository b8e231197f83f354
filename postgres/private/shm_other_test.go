//go:build unix && !linux

package private_test

// shrinkSharedMemory does nothing: only Linux has mount namespaces.
func shrinkSharedMemory(string) error { return nil }
