package csync

import (
	"context"
	"io"

	"gocyrus/lib/guid"
)

// Request is one command of a client.
type Request struct {
	Verb  string
	Name  string
	Value []byte // as the client writes it
	// Body writes the value where Value would be large. It runs when the command's
	// turn has come; its error ends the connection, for half a command cannot be
	// taken back.
	Body func(w io.Writer) error
	// Files takes the octets of files in the answer.
	Files FileFunc
	// Each takes the items of the answer one by one; without it they are gathered.
	// Neither it nor Files may wait for another request of the same client.
	Each func(Item) error

	tag     string // when it is given: that of LOGOUT
	last    bool   // nothing follows; the server may say BYE before the answer
	uploads *uploads
}

// NewGet makes GET NAME value.
func NewGet(name string, value []byte) *Request {
	return &Request{Verb: Get, Name: name, Value: value}
}

// NewApply makes APPLY NAME value.
func NewApply(name string, value []byte) *Request {
	return &Request{Verb: Apply, Name: name, Value: value}
}

// NewRestart makes RESTART: the server forgets what was staged.
func NewRestart() *Request { return &Request{Verb: Restart} }

// NewNoop makes NOOP.
func NewNoop() *Request { return &Request{Verb: Noop} }

// Answer is what came back for a request.
type Answer struct {
	Items   []Item
	NotSent []guid.GUID // uploads that could not be read or were not what they should be
	Text    string      // the final line: "OK success"
}

// Pending is a request under way.
type Pending struct {
	req    *Request
	tag    string
	begun  bool // being written, or written; guarded by the client's mutex
	done   chan struct{}
	answer Answer
	size   int64 // of the items
	err    error
}

// Done is closed when the answer is there.
func (p *Pending) Done() <-chan struct{} { return p.done }

// Wait waits for the answer. The error is what the server said, by one of the
// package's errors, ErrLost with the reason, or ctx's; the request then goes on,
// for nothing can be taken back. Items that came before a NO are there with it.
func (p *Pending) Wait(ctx context.Context) (*Answer, error) {
	select {
	case <-p.done:
		return &p.answer, p.err
	default:
	}
	select {
	case <-p.done:
		return &p.answer, p.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (p *Pending) end(err error) {
	p.err = err
	if p.req.uploads != nil {
		p.answer.NotSent = p.req.uploads.left()
	}
	close(p.done)
}
