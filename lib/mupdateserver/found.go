package mupdateserver

import (
	"errors"
	"fmt"
	"net"

	"github.com/urfave/cli/v2"

	"gocyrus/lib/command"
	"gocyrus/lib/config"
	"gocyrus/lib/etcdtable"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mupdate"
)

// Founds says whether the flags ask for a list in etcd to be made, instead of
// served.
func Founds(c *cli.Context) bool { return c.Bool("i") || c.Bool("e") }

// Found makes the list in etcd, of what mailboxes.db has or empty. A master never
// does that by itself: an empty list, served to frontends, empties theirs.
func Found(cfg *config.Config, c *cli.Context) error {
	o := OptionsFrom(cfg)
	if !o.Etcd.Enabled() {
		return command.Fatal(command.ExConfig, errors.New("mupdate_etcd_servers is not set"))
	}
	if kick, err := net.Dial("unix", o.Client.KickSocket); err == nil {
		kick.Close()
		return command.Fatal(command.ExTempFail, errors.New("mupdate is running here: what it changes now would be lost"))
	}
	entries, err := inList(cfg)
	if err != nil {
		return err
	}
	switch {
	case c.Bool("i") && c.Bool("e"):
		return command.Usage("")
	case c.Bool("i") && len(entries) == 0:
		return command.Fatal(command.ExDataErr, errors.New("mailboxes.db is empty; -e makes an empty list"))
	case c.Bool("e") && len(entries) > 0:
		return command.Fatal(command.ExDataErr, fmt.Errorf("mailboxes.db has %d mailboxes; -i imports them", len(entries)))
	}
	store, err := etcdtable.Open(o.Etcd)
	if err != nil {
		return command.Fatal(command.ExConfig, err)
	}
	defer store.Close()
	if err := store.Found(c.Context, entries); err != nil {
		return command.Fatal(foundStatus(err), err)
	}
	fmt.Fprintf(c.App.Writer, "the list in etcd has %d mailboxes\n", len(entries))
	return nil
}

func foundStatus(err error) int {
	if errors.Is(err, etcdtable.ErrAway) {
		return command.ExTempFail
	}
	return command.ExDataErr
}

func inList(cfg *config.Config) ([]mupdate.Entry, error) {
	list, err := mboxlist.Open(mboxlist.OptionsFrom(cfg))
	if err != nil {
		return nil, err
	}
	var all []mupdate.Entry
	err = each(list, func(e mupdate.Entry) error {
		all = append(all, e)
		return nil
	})
	return all, errors.Join(err, list.Close())
}
