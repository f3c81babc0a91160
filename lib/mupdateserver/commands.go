package mupdateserver

import (
	"errors"
	"strings"

	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mupdate"
)

// spec is one row of the table of commands.
type spec struct {
	min, max  int  // arguments
	open      bool // allowed before login
	streaming bool // allowed when streaming
	change    bool // for a master alone, and answered when it is committed
	run       func(*session, []string) error
}

// commands are those of RFC 3656, COMPRESS and STARTTLS. The order of checks is
// Cyrus's: login, arguments, streaming, master.
var commands map[string]spec

func init() {
	commands = map[string]spec{
		"AUTHENTICATE": {1, 2, true, true, false, (*session).authenticate},
		"STARTTLS":     {0, 0, true, true, false, (*session).startTLS},
		"COMPRESS":     {1, 1, true, true, false, (*session).compress},
		"LOGOUT":       {0, 0, true, true, false, (*session).logout},
		"NOOP":         {0, 0, false, true, false, (*session).noop},
		"FIND":         {1, 1, false, false, false, (*session).find},
		"LIST":         {0, 1, false, false, false, (*session).listAll},
		"UPDATE":       {0, mupdate.MaxHosts, false, false, false, (*session).update},
		"RESERVE":      {2, 2, false, false, true, change(reserve)},
		"ACTIVATE":     {3, 3, false, false, true, change(activate)},
		"DEACTIVATE":   {2, 2, false, false, true, change(deactivate)},
		"DELETE":       {1, 1, false, false, true, change(remove)},
	}
}

// guarded are the first letters of commands that Cyrus wants a login for before
// it looks at the rest.
const guarded = "ADFLNRU"

// syntaxTexts are what a client is told of a line that was not understood.
var syntaxTexts = []struct {
	err  error
	text string
}{
	{mupdate.ErrMissing, "Missing arguments"},
	{mupdate.ErrExtra, "Extra arguments"},
	{mupdate.ErrBadArgs, "Badly formed arguments"},
	{mupdate.ErrNullCommand, "Null command"},
}

// command reads and answers one command. The error ends the session.
func (s *session) command() error {
	tag, name, err := s.r.Head()
	s.tag = tag
	if errors.Is(err, mupdate.ErrNeedCommand) {
		s.settle()
		s.write("* BAD \"Need command\"\r\n")
		return nil
	}
	if err != nil {
		return s.bad(err)
	}
	cmd, known := commands[name]
	if name == "STARTTLS" && s.srv.tls == nil {
		known = false
	}
	switch {
	case s.user == "" && !cmd.open && strings.IndexByte(guarded, name[0]) >= 0:
		return s.refuse("Please login first")
	case !known:
		return s.refuse("Unrecognized command")
	}
	args, err := s.args(name, cmd)
	if err != nil {
		return s.bad(err)
	}
	if !cmd.change {
		s.settle()
	}
	switch {
	case s.stream != nil && !cmd.streaming:
		s.settle()
		s.reply("BAD", "not legal when streaming")
	case cmd.change && !s.srv.opts.Master:
		s.reply("BAD", "read-only session")
	default:
		return cmd.run(s, args)
	}
	return nil
}

func (s *session) args(name string, cmd spec) ([]string, error) {
	if name == "UPDATE" {
		return s.r.Hosts()
	}
	return s.r.Args(cmd.min, cmd.max)
}

// refuse answers BAD to a command whose rest has not been read.
func (s *session) refuse(text string) error {
	s.settle()
	err := s.r.EatLine()
	s.reply("BAD", text)
	return err
}

// bad answers a syntax error; others end the session.
func (s *session) bad(err error) error {
	for _, t := range syntaxTexts {
		if errors.Is(err, t.err) {
			s.settle()
			s.reply("BAD", t.text)
			return nil
		}
	}
	return err
}

func (s *session) logout([]string) error {
	s.reply("OK", "bye-bye")
	return errBye
}

// change makes the handler of a command that changes the list. It is submitted,
// and answered when it is committed; what was pipelined shares a commit.
func change(o op) func(*session, []string) error {
	return func(s *session, args []string) error {
		r := &request{op: o, entry: mupdate.Entry{Name: mboxname.Name(args[0])}, who: s.user, life: s.life}
		if len(args) > 1 {
			r.entry.Location = args[1]
		}
		if len(args) > 2 {
			r.entry.ACL = args[2]
		}
		if !mupdate.ValidName(r.entry.Name) || len(args) > 1 && !mupdate.ValidLocation(r.entry.Location) {
			s.settle()
			s.reply("BAD", "Badly formed arguments")
			return nil
		}
		s.srv.submit(r)
		s.pending, s.octets = append(s.pending, pending{s.tag, r}), s.octets+r.size()
		if len(s.pending) >= maxPending || s.octets > maxPendingOctets {
			// The other half is on its way meanwhile.
			s.settleSome((len(s.pending) + 1) / 2)
		}
		return nil
	}
}

// find is FIND. A name that is not there is no error.
func (s *session) find(args []string) error {
	if err := s.srv.fresh(s.ctx); err != nil {
		return s.away(err)
	}
	rec, err := s.srv.list.Lookup(mboxname.Name(args[0]))
	switch {
	case errors.Is(err, mboxlist.ErrNotFound):
	case err != nil:
		return s.broken(err)
	case !rec.Deleted() && !rec.Is(mboxlist.FlagIntermediate):
		e := entryAt(rec, s.srv.table.self)
		b := append(append(s.in.Scratch(), s.tag...), ' ')
		_ = s.in.Commit(mupdate.AppendEntry(b, &e))
	}
	s.reply("OK", "Search completed")
	return nil
}

// listAll is LIST, of all locations that begin with the argument.
func (s *session) listAll(args []string) error {
	if err := s.srv.fresh(s.ctx); err != nil {
		return s.away(err)
	}
	prefix := ""
	if len(args) > 0 {
		prefix = args[0]
	}
	if err := s.dump(s.tag, func(where []byte, _ *mboxlist.Remote) bool {
		return strings.HasPrefix(string(where), prefix)
	}); err != nil {
		return s.broken(err)
	}
	s.reply("OK", "list complete")
	return nil
}

// away answers a command that needs the list in etcd, which cannot be had: to say
// what may be out of date is worse than to say nothing.
func (s *session) away(err error) error {
	if !errors.Is(err, mupdate.ErrAway) {
		return err
	}
	s.reply("NO", mupdate.ErrAway.Error())
	return nil
}

// noop is NOOP: on a stream, all that the master knows is told first.
func (s *session) noop([]string) error {
	if s.stream != nil {
		if s.srv.slave != nil {
			s.srv.slave.sync(s.ctx)
		}
		if err := s.srv.fresh(s.ctx); err != nil {
			return s.away(err)
		}
		s.srv.table.look()
		if err := s.tellUpdates(); err != nil {
			return err
		}
	}
	s.reply("OK", "Noop done")
	return nil
}
