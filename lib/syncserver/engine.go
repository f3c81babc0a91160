// Package syncserver is the replica's side of the sync protocol: it shows a master
// what this server has, and makes it what the master has.
//
// An [Engine] is made once for a process. A [Session] is one master's connection:
// the messages it has sent ahead of the mailboxes they belong to, and what was
// agreed upon. [Session.Do] carries a command out and gives an [Answer], which is
// complete before a word of it is written, so that no lock is held while a peer is
// slow. imapd uses sessions for its SYNC commands; [Server] is sync_server, which
// speaks csync.
//
// What arrives is believed to be what the master has, and never to be sound: sizes,
// names, ids and hashes are checked, and whatever a command lacks is an answer of
// its own where Cyrus gives up. Nothing of an APPLY is stored when one of its
// messages is not there. An answer of OK means that all of it is on disk.
//
// Rules and order: imap/sync_support.c of Cyrus 3.6 to 3.12.
package syncserver

import (
	"sync/atomic"

	"gocyrus/lib/config"
	"gocyrus/lib/log"
	"gocyrus/lib/sievedir"
	"gocyrus/lib/site"
	"gocyrus/lib/syncstate"
)

// EngineOptions are what the configuration says of the engine.
type EngineOptions struct {
	Partitions map[string]string // name to the root of its data
	TempDir    string            // temp_path: for answers too long for memory
}

// EngineOptionsFrom reads them.
func EngineOptionsFrom(cfg *config.Config) EngineOptions {
	o := EngineOptions{Partitions: map[string]string{}, TempDir: cfg.Str("temp_path")}
	for _, p := range cfg.Partitions() {
		o.Partitions[p.Name] = p.Data
	}
	return o
}

// Engine carries out the commands of masters on the stores of a site. It is safe
// for concurrent use.
type Engine struct {
	opts     EngineOptions
	site     *site.Site
	state    *syncstate.Reader
	scripts  *sievedir.Dir
	tables   *tables
	areas    *areas
	sessions atomic.Uint64
}

// NewEngine is an engine on the stores of st. What processes that are gone left of
// messages sent ahead is removed.
func NewEngine(st *site.Site, o EngineOptions) *Engine {
	e := &Engine{
		opts: o, site: st, state: &syncstate.Reader{Mailboxes: st.Mailboxes, Annotations: st.Annotations}, scripts: sievedir.New(sievedir.OptionsFrom(st.Config), st.Ops),
		tables: newTables(), areas: newAreas(o.Partitions, st.Mailboxes.Options().Parse),
	}
	if err := e.areas.clean(); err != nil {
		log.Warning("sync staging directories: %v", err)
	}
	return e
}

// Close removes the engine's own directories. Its sessions are closed before.
func (e *Engine) Close() { e.areas.close() }
