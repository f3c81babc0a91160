package imapserver

import (
	"errors"
	"strings"

	"gocyrus/lib/csync"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/syncserver"
)

// syncCommands are replication over IMAP, in the words of Cyrus: the commands of
// csync with a tag. What is applied here goes to the logs of replication.
var syncCommands = map[string]command{
	"Syncget":     {in: signedIn, run: (*session).syncGet, how: admins | quiet},
	"Syncapply":   {in: signedIn, run: (*session).syncApply, how: admins | quiet | change},
	"Syncrestore": {in: signedIn, run: (*session).syncRestore, how: admins | quiet | change},
	"Syncrestart": {in: signedIn, run: (*session).syncRestart, how: admins | quiet},
}

// replica is the session's side as a replica, made with the first such command.
func (s *session) replica() *syncserver.Session {
	if s.sync == nil {
		s.sync = s.srv.engine().Session()
	}
	return s.sync
}

// endReplica forgets the messages that a master sent ahead.
func (s *session) endReplica() {
	if s.sync != nil {
		s.sync.Close()
		s.sync = nil
	}
}

func (s *session) syncGet(p *imapwire.Parser) error     { return s.syncCommand(p, csync.Get) }
func (s *session) syncApply(p *imapwire.Parser) error   { return s.syncCommand(p, csync.Apply) }
func (s *session) syncRestore(p *imapwire.Parser) error { return s.syncCommand(p, csync.Restore) }

// syncCommand reads the rest of the line as csync does, and answers.
func (s *session) syncCommand(p *imapwire.Parser, verb string) error {
	if err := p.SP(); err != nil {
		return err
	}
	replica := s.replica()
	cmd, err := csync.NewReader(s.in, s.srv.opts.Sync).ReadItem("SYNC"+verb, replica.Take)
	var bad csync.BadLine
	if err != nil && !errors.As(err, &bad) {
		return err
	}
	p.Taken()
	if bad != "" {
		return imapwire.Bad(strings.TrimPrefix(string(bad), "BAD "))
	}
	cmd.Verb = verb
	a := replica.Do(s.ctx, cmd)
	defer a.Close()
	if a.Err == nil {
		if err := a.WriteTo(s.in); err != nil {
			return err
		}
	}
	s.tagged(a.Words())
	return errAnswered
}

func (s *session) syncRestart(p *imapwire.Parser) error {
	if err := p.EOL(); err != nil {
		return err
	}
	s.endReplica()
	s.text = "Restarting"
	return nil
}
