//go:build !race

package client_test

import "testing"

// What holds of some units holds of 100,000.
func TestManyAgree(t *testing.T) {
	t.Parallel()
	agree(t, 100_000)
}
