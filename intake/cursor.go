package intake

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Cursor says how far an import has come. It is kept beside the file, and what it
// counts has been committed by the server; rows behind it may have been, too, and
// are sent again, which changes nothing.
type Cursor struct {
	File   string `json:"file"`   // SHA-256
	Target string `json:"target"` // to which server and experiment, and how the columns are read
	Rows   int64  `json:"rows"`
	Line   int64  `json:"line"` // of the last row

	Accepted int64 `json:"accepted"`
	Repeated int64 `json:"repeated"` // of which all was there
	Rejected int64 `json:"rejected"`
	Done     bool  `json:"done"`
}

// ReadCursor returns the cursor of a path, and an empty one where there is none.
func ReadCursor(path string) (Cursor, error) {
	var c Cursor
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return c, fmt.Errorf("%s is no cursor: %w", path, err)
	}
	return c, nil
}

// Continues reports whether an import of the file to the target goes on from here;
// an empty cursor begins any.
func (c *Cursor) Continues(file, target string) bool {
	return c.File == "" || c.File == file && c.Target == target
}

// Write keeps the cursor: the file of the path is the old one or the new one,
// whatever happens.
func (c *Cursor) Write(path string) error {
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".part-*")
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err == nil {
		err = f.Sync() // or a crash may leave a new name with nothing in it
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
