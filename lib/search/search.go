// Package search finds the messages of a mailbox view that a search program
// (RFC 9051 section 6.4.4) wants.
//
// A program is compiled for one view: sets become ranges of numbers, keywords
// bits, dates seconds, texts folded patterns. Then each message is asked the
// cheap questions first: what the index record knows costs a few loads from the
// mapped file and no allocation; then texts of cyrus.cache; then the message
// file, part by part, decoded and folded as it is read.
//
// The package knows no connection and prints nothing.
package search

import (
	"context"
	"errors"
	"time"

	"gocyrus/lib/charset"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/index"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/seqset"
)

var (
	// ErrCharset is the error of a program in a character set that is not known.
	ErrCharset = errors.New("unrecognized character set")
	// ErrKey is the error of a key that is not searched by.
	ErrKey = errors.New("search key not supported")
	// ErrThreadID is the error of a thread id that is none.
	ErrThreadID = errors.New("invalid thread id")
)

// Options are what decides which texts match.
type Options struct {
	Text charset.SearchOptions
	Now  func() time.Time // nil is the clock
}

// Program is a compiled search program. It is good for the view it was
// compiled for until that is refreshed.
type Program struct {
	root   node
	modseq bool
}

// Compile makes w ready for a view. saved is what "$" stands for, in UIDs.
func Compile(w *imapwire.Search, s *index.State, saved seqset.Set, opt Options) (*Program, error) {
	c, err := newCompiler(w.Charset, s, saved, opt)
	if err != nil {
		return nil, err
	}
	root, err := c.node(w.Root)
	if err != nil {
		return nil, err
	}
	root.arrange()
	return &Program{root: root, modseq: c.modseq}, nil
}

// UsesModSeq says whether the program asks for modseqs: its answer then carries
// the highest of the messages found (RFC 7162 section 3.1.5).
func (p *Program) UsesModSeq() bool { return p.modseq }

// slice is how many messages are looked at before the mailbox is let go for
// others, when bodies are read.
const slice = 64

// Run calls found for every message that p wants, in ascending order, with its
// number and modseq. It ends early with the error of ctx.
func (p *Program) Run(ctx context.Context, s *index.State, found func(seq int, modseq uint64)) error {
	step := s.Exists()
	if p.root.cost >= costFile {
		step = slice
	}
	for from := 1; from <= s.Exists(); from += step {
		to := min(from+step-1, s.Exists())
		err := s.View(ctx, func(r *index.Reader) error {
			return p.scan(ctx, r, from, to, found)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// checkEvery is how many messages pass between looks at the context.
const checkEvery = 1024

func (p *Program) scan(ctx context.Context, r *index.Reader, from, to int, found func(int, uint64)) error {
	m := newMatcher(ctx, r)
	defer m.close()
	for seq := from; seq <= to; seq++ {
		if seq%checkEvery == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		raw, ok := r.Raw(seq)
		if !ok {
			continue
		}
		m.reset(seq, raw)
		ok = p.root.match(m)
		if m.err != nil && !errors.Is(m.err, mailbox.ErrGone) {
			return m.err
		}
		if ok && m.err == nil {
			found(seq, r.ModSeq(raw))
		}
	}
	return nil
}
