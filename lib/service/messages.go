package service

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Messages reads the notes an administrator leaves below configdirectory/msg.
// They are looked at for every command, so what they said is remembered until
// a stat shows a change.
type Messages struct{ shutdown, own, motd note }

// NewMessages returns the notes for the service of that name in the
// configdirectory dir.
func NewMessages(dir, service string) *Messages {
	msg := filepath.Join(dir, "msg")
	return &Messages{
		own:      note{path: filepath.Join(msg, "shutdown."+service)},
		shutdown: note{path: filepath.Join(msg, "shutdown")},
		motd:     note{path: filepath.Join(msg, "motd")},
	}
}

// Shutdown returns the text of msg/shutdown.SERVICE or msg/shutdown and
// whether there is one of them: sessions are then to be turned away.
func (m *Messages) Shutdown() (text string, ok bool) {
	if text, ok = m.own.read(); ok {
		return text, true
	}
	return m.shutdown.read()
}

// MOTD returns the text of msg/motd. An opening bracket at its start is left
// out: a client would take it for a response code.
func (m *Messages) MOTD() (text string, ok bool) {
	text, ok = m.motd.read()
	return strings.TrimLeft(text, "["), ok
}

// maxNote bounds a line of a note.
const maxNote = 1024

// note is the first line of a file that may come and go.
type note struct {
	path string

	mu      sync.Mutex
	was     fs.FileInfo
	readAt  time.Time
	text    string
	present bool
}

func (n *note) read() (string, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	st, err := os.Stat(n.path)
	if err != nil {
		n.was = nil
		return "", false
	}
	if !n.fresh(st) {
		n.load(st)
	}
	return n.text, n.present
}

// fresh says whether the file still is the one that was read. One that was
// read within the tick of its last change may have changed again since.
func (n *note) fresh(st fs.FileInfo) bool {
	return n.was != nil && os.SameFile(n.was, st) && n.was.Size() == st.Size() &&
		n.was.ModTime().Equal(st.ModTime()) && n.readAt.Sub(st.ModTime()) > time.Second
}

func (n *note) load(st fs.FileInfo) {
	n.was, n.readAt, n.text, n.present = nil, time.Now(), "", false
	f, err := os.Open(n.path)
	if err != nil {
		return
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxNote))
	if err != nil {
		return
	}
	if i := bytes.IndexAny(data, "\r\n\x00"); i >= 0 {
		data = data[:i]
	}
	n.was, n.text, n.present = st, string(data), true
}
