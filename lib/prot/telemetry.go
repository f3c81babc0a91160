package prot

import (
	"io"
	"strconv"
	"time"
)

// telemetry is the copy of a session that is written for an administrator who
// made the user's directory under log/.
type telemetry struct {
	w io.WriteCloser
}

// StartTelemetry copies all that is read and written to w, in Cyrus's form: a
// line "<SECONDS<" before what the client sent and ">SECONDS>" before what
// the server sent.
func (c *Conn) StartTelemetry(w io.WriteCloser) {
	c.StopTelemetry()
	c.copy = &telemetry{w: w}
}

// StopTelemetry ends the copy and closes it.
func (c *Conn) StopTelemetry() {
	if c.copy != nil {
		c.copy.w.Close()
		c.copy = nil
	}
}

func (t *telemetry) record(dir byte, p []byte) {
	b := append(make([]byte, 0, len(p)+16), dir)
	b = strconv.AppendInt(b, time.Now().Unix(), 10)
	b = append(b, dir)
	t.w.Write(append(b, p...))
}
