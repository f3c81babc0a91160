package synclog

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Lag is how far the replica of a channel is behind.
type Lag struct {
	Bytes, Lines int64     // of the logs that are not done, the one that is being worked on included
	Oldest       time.Time // when the oldest entry was written; zero when there is none
	LastSuccess  time.Time // when a reader had last done all there was; zero when never
}

// LagOf measures a channel. It takes no lock.
func LagOf(o Options, channel string) (Lag, error) {
	var l Lag
	path := o.path(channel)
	for _, p := range []string{path + runSuffix, path} {
		n, lines, err := count(p)
		if err != nil {
			return l, err
		}
		l.Bytes += n
		l.Lines += lines
		if t, ok := since(p); ok && n > 0 && (l.Oldest.IsZero() || t.Before(l.Oldest)) {
			l.Oldest = t
		}
	}
	if st, err := os.Stat(path + okSuffix); err == nil {
		l.LastSuccess = st.ModTime()
	} else if !errors.Is(err, os.ErrNotExist) {
		return l, err
	}
	return l, nil
}

// count counts octets and lines; a file that is not there has none.
func count(path string) (octets, lines int64, err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := f.Read(buf)
		octets += int64(n)
		lines += int64(bytes.Count(buf[:n], []byte{'\n'}))
		if err == io.EOF {
			return octets, lines, nil
		}
		if err != nil {
			return octets, lines, err
		}
	}
}

// MarkSuccess notes that a reader has now done all that was logged.
func MarkSuccess(o Options, channel string) error {
	path := o.path(channel) + okSuffix
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return stamp(path, time.Now())
}
