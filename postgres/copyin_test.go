package postgres

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCopyIn sends texts through COPY and compares what PostgreSQL made of them.
func TestCopyIn(t *testing.T) {
	t.Parallel()
	db := open(t)
	texts := map[string]string{ // what comes of it, where that differs
		"": "", "plain": "", `back\slash`: "", "tab\tline\nreturn\r": "", `\N`: "", `\.`: "", "\x01\x1f\x7f": "",
		"€ and 🎬": "", strings.Repeat(`long\`, 2*copyChunkBytes): "",
		"zero\x00byte":  "zero\uFFFDbyte",
		"not \xff utf8": "not \uFFFD utf8",
		"half \xe2\x82": "half \uFFFD\uFFFD",
	}
	var sent, want, got []string
	for text, becomes := range texts {
		sent = append(sent, text)
		if becomes == "" {
			becomes = text
		}
		want = append(want, becomes)
	}
	err := db.inConnTx(t.Context(), func(tx *connTx) error {
		if _, err := tx.ExecContext(t.Context(), `create temporary table texts (n int, value text) on commit drop`); err != nil {
			return err
		}
		err := tx.copyIn(t.Context(), `copy texts (n, value) from stdin`, len(sent), func(buf []byte, i int) []byte {
			return appendText(append(strconv.AppendInt(buf, int64(i), 10), '\t'), sent[i])
		})
		if err != nil {
			return err
		}
		return tx.SelectContext(t.Context(), &got, `select value from texts order by n`)
	})
	if err != nil {
		t.Fatalf("copyIn: %v", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("texts changed on their way (-want +got):\n%s", diff)
	}
}

// TestCopyInRefused checks that a row that PostgreSQL refuses fails the copy and
// leaves the connection fit for use.
func TestCopyInRefused(t *testing.T) {
	t.Parallel()
	db := open(t)
	for _, rows := range []int{1, 100_000} {
		err := db.inConnTx(t.Context(), func(tx *connTx) error {
			if _, err := tx.ExecContext(t.Context(), `create temporary table numbers (n int) on commit drop`); err != nil {
				return err
			}
			return tx.copyIn(t.Context(), `copy numbers (n) from stdin`, rows, func(buf []byte, _ int) []byte {
				return append(buf, "not a number"...)
			})
		})
		if err == nil {
			t.Errorf("copyIn of %d rows of the wrong type returned nil", rows)
		}
		if err := db.Ping(t.Context()); err != nil {
			t.Errorf("Ping after a refused copy of %d rows: %v", rows, err)
		}
	}
}

// A panic on the way reaches the caller: it neither waits for ever nor costs the
// pool a connection.
func TestCopyInPanics(t *testing.T) {
	t.Parallel()
	db := open(t)
	for range maxConns + 1 {
		func() {
			defer func() {
				if got := recover(); got != "on the way" {
					t.Errorf("recovered %v", got)
				}
			}()
			err := db.inConnTx(t.Context(), func(tx *connTx) error {
				if _, err := tx.ExecContext(t.Context(), `create temporary table numbers (n int) on commit drop`); err != nil {
					return err
				}
				return tx.copyIn(t.Context(), `copy numbers (n) from stdin`, 2, func(buf []byte, i int) []byte {
					if i == 1 {
						panic("on the way")
					}
					return strconv.AppendInt(buf, int64(i), 10)
				})
			})
			t.Errorf("inConnTx = %v", err)
		}()
	}
	if err := db.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}
