package postgres

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/jmoiron/sqlx"
)

// copyChunkBytes is what one message to the server carries; the driver flushes
// at about this size, and more gains nothing.
const copyChunkBytes = 60 << 10

// connTx is a transaction on a connection of its own, which COPY needs.
type connTx struct {
	*sqlx.Tx
	conn *sqlx.Conn
}

// inConnTx runs do in a transaction that commits when do returns nil.
func (db *DB) inConnTx(ctx context.Context, do func(*connTx) error) (err error) {
	conn, err := db.sql.Connx(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() {
		if closeErr := conn.Close(); err == nil {
			err = closeErr
		}
	}()
	tx, err := conn.BeginTxx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	// Closing the connection waits for the end of the transaction, also when do
	// panics.
	defer func() { _ = tx.Rollback() }() // does nothing after a commit; the first error is the one to tell
	if err := do(&connTx{Tx: tx, conn: conn}); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// copyIn streams rows into a table: statement is "copy t (columns) from stdin",
// and row i is what appendRow adds to the buffer, columns separated by tabs,
// without a line end. The raw stream is twice as fast as a driver's call per
// row (lib/pq has it, behind its driver statement).
//
// A failure is kept from Raw: told of driver.ErrBadConn, Raw closes the
// connection, which waits for the transaction to end, which is ours to end
// afterwards (golang.org/issue/81606). The driver knows that the connection is
// bad, and the end of the transaction removes it. A panic, too, is let go on only
// outside of Raw, which closes the connection for one.
func (tx *connTx) copyIn(ctx context.Context, statement string, rows int, appendRow func(buf []byte, i int) []byte) error {
	var failed error
	var panicked any
	err := tx.conn.Raw(func(driverConn any) error {
		defer func() { panicked = recover() }()
		failed = copyRows(ctx, driverConn, statement, rows, appendRow)
		return nil
	})
	if panicked != nil {
		panic(panicked)
	}
	return errors.Join(err, failed)
}

// copyRows is copyIn on a connection of the driver.
func copyRows(ctx context.Context, driverConn any, statement string, rows int, appendRow func(buf []byte, i int) []byte) (err error) {
	preparer, ok := driverConn.(driver.ConnPrepareContext)
	if !ok {
		return fmt.Errorf("driver connection %T cannot prepare", driverConn)
	}
	stmt, err := preparer.PrepareContext(ctx, statement)
	if err != nil {
		return fmt.Errorf("begin copy: %w", err)
	}
	// Closing waits for the server's last word, also of a copy that it refused:
	// until then the driver still reads the connection.
	defer func() {
		if closeErr := stmt.Close(); err == nil {
			err = closeErr
		}
	}()
	raw, ok := stmt.(interface {
		CopyData(ctx context.Context, lines string) (driver.Result, error)
		Exec(args []driver.Value) (driver.Result, error)
	})
	if !ok {
		return fmt.Errorf("driver statement %T cannot copy", stmt)
	}
	buf := make([]byte, 0, copyChunkBytes+copyChunkBytes/8)
	for i := range rows {
		buf = appendRow(buf, i)
		if len(buf) < copyChunkBytes && i < rows-1 {
			buf = append(buf, '\n')
			continue
		}
		if _, err := raw.CopyData(ctx, string(buf)); err != nil { // ends the last line itself
			return fmt.Errorf("copy: %w", err)
		}
		buf = buf[:0]
	}
	if _, err := raw.Exec(nil); err != nil {
		return fmt.Errorf("end copy: %w", err)
	}
	return nil
}

// appendText adds a text column. What PostgreSQL cannot hold, zero bytes and
// bytes that are not UTF-8, becomes the replacement character: one bad value
// must not fail a batch.
func appendText(buf []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '\\' || c >= utf8.RuneSelf {
			return appendEscaped(append(buf, s[:i]...), s[i:])
		}
	}
	return append(buf, s...)
}

// appendEscaped is appendText from the first special byte on.
func appendEscaped(buf []byte, s string) []byte {
	for _, r := range s { // bytes that are not UTF-8 come as utf8.RuneError
		switch r {
		case '\\':
			buf = append(buf, '\\', '\\')
		case '\t':
			buf = append(buf, '\\', 't')
		case '\n':
			buf = append(buf, '\\', 'n')
		case '\r':
			buf = append(buf, '\\', 'r')
		case 0:
			buf = utf8.AppendRune(buf, utf8.RuneError)
		default:
			buf = utf8.AppendRune(buf, r)
		}
	}
	return buf
}

// appendNull adds a column without a value.
func appendNull(buf []byte) []byte { return append(buf, '\\', 'N') }

func appendBool(buf []byte, b bool) []byte {
	if b {
		return append(buf, 't')
	}
	return append(buf, 'f')
}

func appendKnown(buf []byte, n *int64) []byte {
	if n == nil {
		return appendNull(buf)
	}
	return strconv.AppendInt(buf, *n, 10)
}
