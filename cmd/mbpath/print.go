package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"gocyrus/lib/charset"
	"gocyrus/lib/config"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
)

// errBadFormat is an entry without the unique id that its directory is named by.
var errBadFormat = errors.New("mailbox has no unique id")

// A printer prints the paths of mailboxes.
type printer struct {
	c      *cli.Context
	cfg    *config.Config
	list   *mboxlist.List
	layout *mboxname.Layout
	view   *mboxname.View
	sel    string
}

func newPrinter(c *cli.Context, cfg *config.Config, list *mboxlist.List, sel string) *printer {
	return &printer{
		c: c, cfg: cfg, list: list, sel: sel,
		layout: mboxname.LayoutFrom(cfg),
		view:   mboxname.NamespaceFrom(cfg).View("cyrus", true),
	}
}

// argument prints the paths of what one argument names.
func (p *printer) argument(arg string) error {
	n, err := p.name(arg)
	if err != nil {
		return fmt.Errorf("%s: %w: %w", arg, mboxlist.ErrNotFound, err)
	}
	e, err := p.list.Lookup(n)
	switch {
	case err != nil:
		return err
	case e.Deleted() || e.Is(mboxlist.FlagReserved):
		return fmt.Errorf("%s: %w", n, mboxlist.ErrNotFound)
	case e.Is(mboxlist.FlagRemote):
		return p.remote(e)
	case e.UniqueID == "" && !e.Is(mboxlist.FlagLegacy):
		log.Err("mbentry has no uniqueid, needs reconstruct: mboxname=<%s>", n)
		if !p.c.Bool("q") {
			fmt.Fprintf(p.c.App.ErrWriter, "Mailbox has no uniqueid, needs reconstruct: %s\n", arg)
		}
		return errBadFormat
	case p.c.Bool("j"):
		return p.printJSON(e)
	}
	p.print(e)
	return nil
}

// name is the mailbox that an argument names.
func (p *printer) name(arg string) (mboxname.Name, error) {
	switch {
	case p.c.Bool("u"):
		return mboxname.Inbox(arg), nil
	case p.c.Bool("p"):
		return p.byPath(arg)
	case !p.c.Bool("7") && strings.ContainsFunc(arg, func(r rune) bool { return r >= 0x80 }):
		// Names of our list are in modified UTF-7; one in UTF-8 is read too.
		utf7, err := charset.EncodeUTF7(arg)
		if err != nil {
			return "", err
		}
		arg = utf7
	}
	return p.view.Internal(arg)
}

// also is how a name that was given otherwise is spelled, as Cyrus adds it to a
// complaint, with its empty line.
func (p *printer) also(arg string) string {
	n, err := p.name(arg)
	if err != nil {
		return ""
	}
	x, ok := p.view.External(n)
	if !ok || x == arg {
		return ""
	}
	return fmt.Sprintf(" ('%s')\n", x)
}

// byPath finds the mailbox that has a directory.
func (p *printer) byPath(dir string) (n mboxname.Name, err error) {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	if e, err := p.list.LookupID(filepath.Base(dir)); err == nil {
		return e.Name, nil
	}
	err = p.list.Scan("", func(v mboxlist.View) error {
		if !v.Is(mboxlist.FlagLegacy) {
			return nil
		}
		e, err := v.Entry()
		if err == nil && n == "" && p.dirs(e).has(dir) {
			n = e.Name
		}
		return err
	})
	if err == nil && n == "" {
		err = mboxlist.ErrNotFound
	}
	return n, err
}

// remote is a mailbox of another server, of which there is nothing to print but
// where it is.
func (p *printer) remote(e *mboxlist.Entry) error {
	switch {
	case !p.c.Bool("l"):
		if !p.c.Bool("j") {
			fmt.Fprintf(p.c.App.Writer, "%s!%s\n", e.Server, e.Partition)
		}
	case p.c.Bool("s"):
		text := "Non-local mailbox. Stopping\n"
		if p.c.Bool("q") {
			text = ""
		}
		fmt.Fprintf(p.c.App.ErrWriter, "fatal error: %s\n", text)
		return cli.Exit("", 255)
	}
	return nil
}

// dirs are the directories of one mailbox.
type dirs struct{ archive, data, meta, sieve, user string }

func (d dirs) has(dir string) bool { return dir == d.data || dir == d.meta || dir == d.archive }

func (p *printer) dirs(e *mboxlist.Entry) (d dirs) {
	part, _ := p.cfg.Partition(e.Partition)
	legacy := e.Is(mboxlist.FlagLegacy)
	at := func(root string) string { return p.layout.MailboxDir(root, e.Name, e.UniqueID, legacy) }
	d.data = at(part.Data)
	d.archive = d.data
	if part.Archive != "" {
		d.archive = at(part.Archive)
	}
	d.meta = d.data
	if part.Meta != "" {
		d.meta = at(part.Meta)
	}
	owner := e.Name.Owner()
	if owner == "" {
		d.sieve, d.user = filepath.Join(p.layout.SieveDir, "global"), p.shared(e.Name.Domain())
		return d
	}
	inbox := p.inboxID(owner)
	d.sieve = p.layout.SieveUserDir(owner, inbox)
	d.user = filepath.Dir(p.layout.UserFile(owner, "x", inbox))
	return d
}

// shared is the directory of what belongs to no user: that of the domain, which
// has the letters and files of its users in user.
func (p *printer) shared(domain string) string {
	if domain == "" {
		return p.layout.ConfigDir
	}
	of := p.layout.UserFile("x@"+domain, "x", "")
	return filepath.Dir(filepath.Dir(filepath.Dir(of)))
}

// inboxID is the id that a user's files are found by, "" for by name.
func (p *printer) inboxID(owner string) string {
	e, err := p.list.Lookup(mboxname.Inbox(owner))
	if err != nil || e.Deleted() || e.Is(mboxlist.FlagLegacy) {
		return ""
	}
	return e.UniqueID
}

func (p *printer) print(e *mboxlist.Entry) {
	d := p.dirs(e)
	all := []struct{ sel, word, path string }{
		{"A", "Archive", d.archive}, {"D", "Data", d.data}, {"Mm", "Meta", d.meta},
		{"S", "Sieve", d.sieve}, {"U", "User", d.user},
	}
	for _, x := range all {
		switch {
		case p.sel == "a":
			fmt.Fprintf(p.c.App.Writer, "%s: %s\n", x.word, x.path)
		case strings.Contains(x.sel, p.sel):
			fmt.Fprintln(p.c.App.Writer, x.path)
		}
	}
}

// printJSON prints all that Cyrus does, keys in order.
func (p *printer) printJSON(e *mboxlist.Entry) error {
	d := p.dirs(e)
	owner := e.Name.Owner()
	name := map[string]any{"boxes": boxes(e.Name), "intname": string(e.Name)}
	out := map[string]any{"archive": d.archive, "data": d.data, "meta": d.meta, "mbname": name}
	if e.Name.IsDeleted() {
		_, stamp, _ := e.Name.Undeleted()
		name["isdeleted"] = stamp
	}
	if owner != "" {
		local, domain, virtual := strings.Cut(owner, "@")
		name["localpart"], name["userid"] = local, owner
		if virtual {
			name["domain"] = domain
		}
		inbox := p.inboxID(owner)
		user := map[string]any{"sieve": d.sieve}
		for _, f := range []string{"conversations", "counters", "dav", "seen", "sub", "xapianactive"} {
			user[f] = p.layout.UserFile(owner, f, inbox)
		}
		out["user"] = user
		// The search index of this server is not Xapian's.
		out["xapian"] = struct{}{}
	}
	w := json.NewEncoder(p.c.App.Writer)
	w.SetEscapeHTML(false)
	w.SetIndent("", "  ")
	return w.Encode(out)
}

// boxes are the components of a name below the owner's INBOX.
func boxes(n mboxname.Name) []string {
	if was, _, ok := n.Undeleted(); ok {
		n = was
	}
	rest := n.Local()
	if owner := n.Owner(); owner != "" {
		rest = strings.TrimPrefix(rest, mboxname.Inbox(owner).Local())
		rest = strings.TrimPrefix(rest, ".")
	}
	if rest == "" {
		return []string{}
	}
	all := strings.Split(rest, ".")
	for i := range all {
		all[i] = strings.ReplaceAll(all[i], "^", ".")
	}
	return all
}
