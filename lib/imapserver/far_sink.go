package imapserver

import (
	"fmt"
	"io"
	"strings"

	"github.com/emersion/go-imap/v2"

	"gocyrus/lib/imapproxy"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/spool"
)

// farSink is APPEND to a mailbox of another server.
type farSink struct {
	s     *session
	c     *imapproxy.Conn
	at    *place
	begun bool
}

func (f *farSink) begin(m farMessage, size int64) (io.Writer, error) {
	if f.c.Err() != nil {
		return nil, fmt.Errorf("%w: %w", errTarget, errRemote)
	}
	if !f.begun {
		f.c.Begin(f.s.tag, "APPEND")
		f.c.String(f.at.ext)
		f.begun = true
	}
	f.c.Word("(" + m.flags + ")")
	f.c.Word(`"` + m.date + `" `)
	refused, err := f.c.Literal(f.s.tag, size, f.s.aside(f.c))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errTarget, f.s.lost(err))
	}
	if refused != nil {
		return nil, fmt.Errorf("%w: %w", errTarget, f.s.replied(*refused, nil))
	}
	return f.c, nil
}

func (f *farSink) finish() (string, error) {
	if err := f.c.End(); err != nil {
		return "", f.s.lost(err)
	}
	reply, err := f.c.Answer(f.s.tag, f.s.aside(f.c))
	if err != nil || !reply.OK() {
		return "", f.s.replied(reply, err)
	}
	return reply.Text, nil
}

// abandon drops the connection: without the end of the command nothing is stored.
func (f *farSink) abandon() {
	if f.begun {
		f.s.backends().Drop(f.c)
	}
}

func (f *farSink) close() {
	if f.c.Err() == nil {
		f.s.release(f.c)
	}
}

// hereSink is a mailbox of this server.
type hereSink struct {
	in   *incoming
	done func()
}

func (s *session) newHereSink(name string) (*hereSink, error) {
	h := &hereSink{in: &incoming{s: s}}
	var err error
	if h.in.target, h.done, err = s.target(name); err != nil {
		return nil, err
	}
	if h.in.dir, err = s.srv.stageDir(h.in.target.Mailbox); err != nil {
		h.done()
		return nil, err
	}
	return h, nil
}

func (h *hereSink) begin(m farMessage, _ int64) (io.Writer, error) {
	if err := h.end(); err != nil {
		return nil, fmt.Errorf("%w: %w", errTarget, err)
	}
	if len(h.in.list) >= maxArrivals {
		return nil, fmt.Errorf("%w: %w", errTarget, errAppendMany)
	}
	a := arrival{file: spool.New(h.in.dir, spool.Append, h.in.s.srv.opts.Spool)}
	for _, f := range strings.Fields(m.flags) {
		a.flags = append(a.flags, imap.Flag(f))
	}
	a.date, _ = imapwire.ParseDateTime(m.date)
	h.in.list = append(h.in.list, a)
	return a.file, nil
}

// end ends the message under way.
func (h *hereSink) end() (err error) {
	if len(h.in.list) == 0 {
		return nil
	}
	a := &h.in.list[len(h.in.list)-1]
	if a.msg == nil {
		err = h.in.finish(a)
	}
	return appendRefusal(err)
}

func (h *hereSink) finish() (string, error) {
	if err := h.end(); err != nil {
		return "", err
	}
	return h.in.store()
}

func (h *hereSink) abandon() {}

func (h *hereSink) close() {
	h.in.close()
	h.done()
}
