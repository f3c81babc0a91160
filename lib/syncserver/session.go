package syncserver

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"

	"gocyrus/lib/csync"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxops"
)

// Session is one master. Do may be called from many goroutines, for commands that
// concern different users; see conflicts.
type Session struct {
	e     *Engine
	stage *stage

	mu    sync.Mutex
	force bool // the master is right whatever the numbers say
	sieve bool // #sieve travels as a mailbox, not as scripts
}

// Session begins a session. Close ends it.
func (e *Engine) Session() *Session {
	return &Session{e: e, stage: e.areas.stage(e.sessions.Add(1))}
}

// Take puts the octets of a message that a master sends aside, for a MAILBOX that
// follows. It is the csync.FileFunc of the session's reader.
func (s *Session) Take(f csync.FileLiteral, r io.Reader) error { return s.stage.take(f, r) }

// Restart forgets the messages that were sent ahead, and no more.
func (s *Session) Restart() { s.stage.clear() }

// Close ends the session.
func (s *Session) Close() { s.stage.clear() }

func (s *Session) forced() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.force
}

func (s *Session) sieveMailbox() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sieve
}

// handler carries out one command with its value.
type handler func(s *Session, ctx context.Context, value []byte, a *Answer) error

// handlers are the commands by verb and name.
var handlers map[string]map[string]handler

func init() {
	// A variable that was initialised with its methods would depend on itself.
	handlers = map[string]map[string]handler{
		csync.Get: {
			"USER":        (*Session).getUser,
			"MAILBOXES":   (*Session).getMailboxes,
			"UNIQUEIDS":   (*Session).getUniqueIDs,
			"FULLMAILBOX": (*Session).getFullMailbox,
			"META":        (*Session).getMeta,
			"QUOTA":       (*Session).getQuota,
			"ANNOTATION":  (*Session).getAnnotation,
			"FETCH":       (*Session).getFetch,
			"FETCH_SIEVE": (*Session).getScript,
		},
		csync.Apply: {
			"RESERVE":          (*Session).reserve,
			"MESSAGE":          (*Session).message,
			"MAILBOX":          (*Session).applyMailbox,
			"UNMAILBOX":        (*Session).unmailbox,
			"RENAME":           (*Session).rename,
			"EXPUNGE":          (*Session).expunge,
			"QUOTA":            (*Session).quota,
			"UNQUOTA":          (*Session).unquota,
			"SUB":              (*Session).sub,
			"UNSUB":            (*Session).unsub,
			"SEEN":             (*Session).seen,
			"ANNOTATION":       (*Session).annotation,
			"UNANNOTATION":     (*Session).unannotation,
			"SIEVE":            (*Session).putScript,
			"UNSIEVE":          (*Session).deleteScript,
			"ACTIVATE_SIEVE":   (*Session).activateScript,
			"UNACTIVATE_SIEVE": (*Session).deactivateScript,
			"UNUSER":           (*Session).unuser,
			"FORCE":            (*Session).setForce,
			"CAPABILITIES":     (*Session).capabilities,
		},
		csync.Restore: {
			"MAILBOX": (*Session).restoreMailbox,
		},
	}
}

// local is in front of names of commands that no murder hears of: what moves here from
// another backend is announced when all of it is there.
const local = "LOCAL_"

// locals are the names that may have it.
var locals = map[string]bool{"MAILBOX": true, "UNMAILBOX": true, "RENAME": true, "UNUSER": true}

// find is the handler of a command, and whether no murder is to hear of it.
func find(verb, name string) (h handler, quietly, ok bool) {
	if bare, is := strings.CutPrefix(name, local); is && verb != csync.Get && locals[bare] {
		name, quietly = bare, true
	}
	h, ok = handlers[verb][name]
	return h, quietly, ok
}

// alone marks the context of a command that no murder hears of.
type alone struct{}

// ops are the operations for a command.
func (s *Session) ops(ctx context.Context) *mboxops.Ops {
	if ctx.Value(alone{}) != nil {
		return s.e.site.Ops.Local()
	}
	return s.e.site.Ops
}

// Do carries out a GET, APPLY or RESTORE.
func (s *Session) Do(ctx context.Context, cmd *csync.Command) *Answer {
	a := &Answer{dir: s.e.opts.TempDir}
	what := cmd.Verb + " " + cmd.Name
	h, quietly, ok := find(cmd.Verb, cmd.Name)
	if quietly {
		ctx = context.WithValue(ctx, alone{}, true)
	}
	switch {
	case !ok:
		a.Err = fmt.Errorf("%w: %s", csync.ErrProtocol, what)
	case cmd.FileErr != nil:
		a.Err = translate(what, cmd.FileErr)
	default:
		a.Err = translate(what, h(s, ctx, cmd.Value, a))
	}
	return a
}

// setForce is APPLY FORCE. Cyrus remembers it for all sessions to come of the
// process; here it is the session's.
func (s *Session) setForce(context.Context, []byte, *Answer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.force {
		log.Notice("SYNCNOTICE: force already enabled")
		return nil
	}
	s.force = true
	log.Notice("SYNCNOTICE: enabling force mode")
	return nil
}

// capabilities is APPLY CAPABILITIES: the answer has those that are agreed upon.
func (s *Session) capabilities(_ context.Context, value []byte, a *Answer) error {
	asked, err := csync.ParseList(value)
	if err != nil {
		return err
	}
	enabled := []string{}
	s.mu.Lock()
	for _, c := range asked {
		if strings.EqualFold(c, csync.CapSieveMailbox) {
			s.sieve = true
			enabled = append(enabled, c)
		}
	}
	s.mu.Unlock()
	return a.item("ENABLED", func(dst []byte) []byte { return csync.FromServer.AppendList(dst, enabled) })
}
