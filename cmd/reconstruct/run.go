package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/urfave/cli/v2"

	"gocyrus/lib/command"
	"gocyrus/lib/log"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/repair"
	"gocyrus/lib/site"
)

// A run is one run of the program.
type run struct {
	c       *cli.Context
	ctx     context.Context
	site    *site.Site
	version uint32
	opt     repair.Options
	seen    map[string]bool // by internal name
	found   []mboxname.Name // discovered and not yet reconstructed
}

func (r *run) all() error {
	args := r.c.Args().Slice()
	if r.c.Bool("P") {
		return r.headers(args)
	}
	if part := r.c.String("p"); part != "" {
		if err := r.adopt(args, part); err != nil {
			return err
		}
	}
	if len(args) == 0 {
		args = []string{"*"}
	}
	for _, arg := range args {
		if err := r.argument(arg); err != nil {
			return err
		}
	}
	return r.discovered()
}

// argument reconstructs what one argument names.
func (r *run) argument(arg string) error {
	finders := []func(*site.Site, string) ([]*mboxlist.Entry, error){repair.Find}
	switch {
	case r.c.Bool("u"):
		finders[0] = repair.OfUser
	case r.c.Bool("r"):
		finders = append(finders, repair.FindBelow)
	}
	for _, find := range finders {
		entries, err := find(r.site, arg)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := r.mailbox(e, r.opt); err != nil {
				return err
			}
		}
	}
	return nil
}

// mailbox reconstructs one mailbox. A mailbox that cannot be mended is told of
// and does not end the run.
func (r *run) mailbox(e *mboxlist.Entry, opt repair.Options) error {
	if r.seen[string(e.Name)] {
		return nil
	}
	r.seen[string(e.Name)] = true
	w := r.c.App.Writer
	if !opt.DryRun && !r.c.Bool("q") {
		log.Notice("reconstructing %s", e.Name)
	}
	found, err := repair.Reconstruct(r.ctx, r.site, e, opt)
	for _, f := range found {
		if !f.Quiet {
			fmt.Fprintln(w, f.Text)
		}
	}
	if err != nil {
		log.Err("%s: %v", e.Name, err)
		fmt.Fprintf(r.c.App.ErrWriter, "%s: %s Failed to reconstruct mailbox\n", e.Name, words(err))
		return nil
	}
	name := repair.External(r.site, e.Name)
	if !r.c.Bool("q") {
		fmt.Fprintln(w, name)
	}
	if r.version != 0 {
		r.convert(e, name)
	}
	if !r.c.Bool("f") {
		return nil
	}
	below, err := repair.Discover(r.site, e)
	for _, n := range below {
		fmt.Fprintf(w, "discovered %s\n", n)
	}
	r.found = append(r.found, below...)
	return err
}

// words are Cyrus's for an error.
func words(err error) string {
	switch {
	case errors.Is(err, mailbox.ErrBadFormat):
		return "Mailbox has an invalid format"
	case errors.Is(err, mailbox.ErrNotFound), errors.Is(err, mboxlist.ErrNotFound):
		return "Mailbox does not exist"
	}
	return "System I/O error"
}

// convert changes the version of a mailbox's index.
func (r *run) convert(e *mboxlist.Entry, name string) {
	if r.opt.DryRun {
		return
	}
	w := r.c.App.Writer
	old, err := repair.SetVersion(r.ctx, r.site, e, r.version)
	switch {
	case err != nil:
		log.Err("%s: version %d: %v", e.Name, r.version, err)
		fmt.Fprintf(w, "FAILED TO REPACK %s with new version %s\n", name, words(err))
	case old != r.version:
		fmt.Fprintf(w, "Converted %s version %d to %d\n", name, old, r.version)
	}
}

// adopt makes entries for mailboxes that are on a partition, or makes them.
func (r *run) adopt(args []string, partition string) error {
	v := repair.AdminView(r.site)
	names := make([]mboxname.Name, len(args))
	for i, arg := range args {
		if strings.ContainsAny(arg, "*%") {
			fmt.Fprintln(r.c.App.ErrWriter, "Using wildcards with -p is not supported.")
			return command.Status(command.ExUsage)
		}
		n, err := v.Internal(arg)
		if err != nil {
			fmt.Fprintf(r.c.App.ErrWriter, "could not create %s\n", arg)
			return command.Status(command.ExUsage)
		}
		if e, err := r.site.List.Lookup(n); err == nil && !e.Deleted() {
			fmt.Fprintf(r.c.App.ErrWriter, "Mailbox %s already exists.  Cannot specify -p.\n", arg)
			return command.Status(command.ExUsage)
		}
		names[i] = n
	}
	if r.opt.DryRun {
		return nil
	}
	for i, n := range names {
		if err := r.take(n, partition); err != nil {
			log.Err("%s: %v", n, err)
			fmt.Fprintf(r.c.App.ErrWriter, "could not create %s\n", args[i])
		}
	}
	return nil
}

// take takes in the mailbox n from the files it has on a partition, or makes it
// there when it has none.
func (r *run) take(n mboxname.Name, partition string) error {
	fresh := r.c.Bool("x")
	e, err := repair.Adopt(r.ctx, r.site, n, partition, fresh)
	if errors.Is(err, fs.ErrNotExist) {
		return r.create(n, partition)
	}
	if err != nil {
		return err
	}
	opt := r.opt
	opt.PreferList = opt.PreferList || fresh
	return r.mailbox(e, opt)
}

func (r *run) create(n mboxname.Name, partition string) error {
	_, err := r.site.Ops.Create(r.ctx, mboxops.Root("cyrus"), n, mboxops.CreateParams{Partition: partition})
	return err
}

// discovered takes in what -f has found, and what is found below that.
func (r *run) discovered() error {
	for len(r.found) > 0 {
		n := r.found[0]
		r.found = r.found[1:]
		if r.opt.DryRun {
			continue
		}
		parent, ok := n.Parent()
		if !ok {
			continue
		}
		up, err := r.site.List.Lookup(parent)
		if err == nil {
			err = r.take(n, up.Partition)
		}
		if err != nil {
			log.Err("%s: %v", n, err)
			fmt.Fprintf(r.c.App.ErrWriter, "createmailbox %s: %s\n", n, words(err))
		}
	}
	return nil
}

// headers is -P.
func (r *run) headers(args []string) error {
	for _, arg := range args {
		said, err := repair.AdoptHeader(r.ctx, r.site, arg)
		if err != nil {
			return command.Fatal(command.ExIOErr, err)
		}
		fmt.Fprintln(r.c.App.Writer, said)
	}
	return nil
}
