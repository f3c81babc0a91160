package syncclient

import (
	"context"
	"strings"

	"gocyrus/lib/csync"
	"gocyrus/lib/guid"
)

// Endings of the names of scripts on the wire: a text, and what is active.
const (
	scriptSuffix = ".script"
	activeSuffix = ".bc"
)

// scripts brings Sieve scripts to a replica that does not take them as mailboxes.
func (c *Client) scripts(ctx context.Context, s *session, userid string, there []*csync.Script) error {
	if s.c.SieveMailbox() {
		return nil
	}
	here, err := c.sieve.List(ctx, userid)
	if err != nil {
		return err
	}
	remote, remoteActive := make(map[string]guid.GUID), ""
	for _, t := range there {
		if name, ok := strings.CutSuffix(t.FileName, scriptSuffix); ok {
			remote[name] = t.GUID
		} else if name, ok := strings.CutSuffix(t.FileName, activeSuffix); ok && t.Active {
			remoteActive = name
		}
	}
	var jobs []*pending
	send := func(item string, w csync.Sieve) {
		c.progress("%s %s", item, strings.TrimSpace(userid+" "+w.FileName))
		w.UserID = userid
		jobs = append(jobs, s.start(item, w.Append(nil, client)))
	}
	active := ""
	for _, h := range here {
		if h.Active {
			active = h.Name
		}
		g, ok := remote[h.Name]
		delete(remote, h.Name)
		if ok && g == h.GUID {
			continue
		}
		_, text, err := c.sieve.Get(ctx, userid, h.Name)
		if err != nil {
			return err
		}
		send("SIEVE", csync.Sieve{FileName: h.Name + scriptSuffix, HasUpdate: true, LastUpdate: int64(h.LastUpdate), HasContent: true, Content: text})
	}
	// What is active must not be removed, so the one that is to be comes first.
	switch {
	case active == remoteActive:
	case active == "":
		send("UNACTIVATE_SIEVE", csync.Sieve{})
	default:
		send("ACTIVATE_SIEVE", csync.Sieve{FileName: active + activeSuffix})
	}
	for name := range remote {
		send("UNSIEVE", csync.Sieve{FileName: name + scriptSuffix})
	}
	return waitAll(ctx, jobs)
}
