package client

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// copyForm begins a copy on disk: form and its number, entity tag, SHA-256 of
// the configuration that follows the line. A flipped bit in a salt would
// compile and move every unit.
const copyForm = "splitcast-config-1"

// copyPath is the file of the last good configuration; servers do not share it.
func (c *Client) copyPath() string {
	if c.cfg.Dir == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(c.cfg.URL))
	return filepath.Join(c.cfg.Dir, "splitcast-"+hex.EncodeToString(sum[:6])+".config")
}

// loadCopy puts the copy on disk in force, if there is a good one.
func (c *Client) loadCopy() {
	path := c.copyPath()
	if path == "" {
		return
	}
	text, etag, err := readCopy(path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var st *state
	if err == nil {
		st, err = newState(text, etag, c.seen)
	}
	if err != nil {
		c.cfg.Log.Warn("the configuration on disk is not usable", "path", path, "error", err)
		return
	}
	c.adopt(st)
}

func readCopy(path string) (text []byte, etag string, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, "", err
	}
	head, text, found := bytes.Cut(b, []byte("\n"))
	fields := bytes.Fields(head)
	if !found || len(fields) != 3 || string(fields[0]) != copyForm {
		return nil, "", errors.New("it is no copy of a configuration")
	}
	if string(fields[2]) != checksum(text) {
		return nil, "", errors.New("its checksum is wrong")
	}
	return text, string(fields[1]), nil
}

func checksum(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// keepCopy replaces the copy by rename, so that a crash leaves the old one or
// the new one. Only this user may read it: it tells audiences and salts.
func (c *Client) keepCopy(text []byte, etag string) {
	path := c.copyPath()
	if path == "" {
		return
	}
	if err := writeCopy(path, text, etag); err != nil {
		c.cfg.Log.Warn("the configuration could not be kept on disk", "path", path, "error", err)
	}
}

func writeCopy(path string, text []byte, etag string) error {
	if etag == "" || bytes.ContainsAny([]byte(etag), " \t\n") {
		etag = "-" // matches no configuration
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%s %s %s\n", copyForm, etag, checksum(text))
	if err == nil {
		_, err = f.Write(text)
	}
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
