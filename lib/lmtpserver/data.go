package lmtpserver

import (
	"errors"
	"fmt"

	"gocyrus/lib/delivery"
	"gocyrus/lib/message"
	"gocyrus/lib/smtpwire"
	"gocyrus/lib/spool"
)

// data is DATA: a reply for each recipient follows the message.
func (s *session) data(string) error {
	if len(s.tx.to) == 0 {
		s.reply("503 5.5.1 No recipients")
		return nil
	}
	defer s.reset()
	dir, err := s.stageDir()
	if err != nil {
		s.refuse(err)
		return nil
	}
	opts := s.srv.opts.Spool
	h := s.newHeader()
	opts.Missing = h.missing
	f := spool.New(dir, spool.LMTP, opts)
	defer f.Close()
	f.Prepend(h.prepended())
	s.reply("354 go ahead")
	msg, err := s.receive(f)
	var lost *lostError
	if errors.As(err, &lost) {
		return lost.err
	}
	if err != nil {
		// RFC 2033 section 4.2: one reply for each recipient.
		for range s.tx.to {
			s.refuseMessage(err)
		}
		return nil
	}
	s.answer(f, msg)
	return nil
}

// stageDir is where the message is best put meanwhile. A frontend has no partition.
func (s *session) stageDir() (string, error) {
	for _, rc := range s.tx.to {
		if rc.Server() == "" {
			return s.srv.deliver.Stage(rc)
		}
	}
	return s.srv.opts.TempDir, nil
}

// answer delivers and tells what became of each recipient.
func (s *session) answer(f *spool.File, msg *message.Message) {
	s.svc.Proc.SetCommand("DATA")
	m := &delivery.Message{File: f, Message: msg, Sender: s.tx.sender}
	for _, err := range s.deliver(m, f) {
		if err != nil {
			s.refuse(err)
			continue
		}
		s.reply("250 2.1.5 Success SESSIONID=<", s.id, ">")
	}
	s.svc.Proc.SetCommand("")
}

// deliver brings the message to all recipients, here and on other servers. The
// results are in their order.
func (s *session) deliver(m *delivery.Message, f *spool.File) []error {
	var here []*delivery.Recipient
	var places []int
	for i, rc := range s.tx.to {
		if rc.Server() == "" {
			here, places = append(here, rc), append(places, i)
		}
	}
	if len(here) == len(s.tx.to) {
		return s.srv.deliver.Deliver(s.ctx, m, here)
	}
	results := make([]error, len(s.tx.to))
	if len(here) > 0 {
		for k, err := range s.srv.deliver.Deliver(s.ctx, m, here) {
			results[places[k]] = err
		}
	}
	s.fanOut(f.Bytes(), s.tx.to, results)
	return results
}

// lostError is the error of a client that is not there any more.
type lostError struct{ err error }

func (e *lostError) Error() string { return e.err.Error() }

// tooBigError is the error of a message over the limit. Sizes are in octets.
type tooBigError struct{ size, limit int64 }

func (e *tooBigError) Error() string {
	return fmt.Sprintf("552 5.2.3 Message size (%d) exceeds fixed maximum message size (%d)", e.size, e.limit)
}

// receive reads the message into f. It reads to the end whatever is wrong with
// the message, so that the next command is where the client thinks it is.
func (s *session) receive(f *spool.File) (*message.Message, error) {
	n, err := s.r.Text(f)
	var werr *smtpwire.WriteError
	if err != nil && !errors.As(err, &werr) {
		return nil, &lostError{err}
	}
	var msg *message.Message
	if err == nil {
		msg, err = f.Finish()
	}
	if errors.Is(err, spool.ErrTooBig) {
		return nil, &tooBigError{n, s.srv.opts.MaxMessage}
	}
	return msg, err
}

// refuseMessage answers a recipient of a message that cannot be taken.
func (s *session) refuseMessage(err error) {
	var big *tooBigError
	switch {
	case errors.As(err, &big):
		s.reply(big.Error())
	default:
		s.refuse(err)
	}
}
