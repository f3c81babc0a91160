package cyradm

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// commandRow is a row of the table.
type commandRow struct {
	name    string
	aliases []string
	args    string // as help shows them
	about   string
	flags   []flag
	min     int
	max     int    // -1 for any number
	usage   string // after "usage: "; name and args where empty
	badFlag string // the same for wrong flags, where that differs
	errName string // what its complaints begin with, where not its name
	offline bool   // needs no server
	run     func(*call) error
}

// flag is -name or --name. The short form may be cut short: -part.
type flag struct {
	name  string
	value bool
}

// call is one command being carried out.
type call struct {
	shell *Shell
	name  string
	args  []string
	opts  map[string]string

	out, errOut io.Writer
}

func (c *call) admin() *Admin { return c.shell.admin }

// printf writes to the command's output.
func (c *call) printf(format string, args ...any) { fmt.Fprintf(c.out, format, args...) }

// flush shows what was printed so far.
func (c *call) flush() {
	if f, ok := c.out.(interface{ Flush() error }); ok {
		f.Flush()
	}
}

// has says whether a flag was given.
func (c *call) has(flag string) bool {
	_, ok := c.opts[flag]
	return ok
}

// arg is an operand, or empty.
func (c *call) arg(n int) string {
	if n < len(c.args) {
		return c.args[n]
	}
	return ""
}

var partition = []flag{{"partition", true}}

const metaUsage = "[--private] mailbox [comment|expire|news2mail|pop3showafter|sharedseen|sieve|specialuse|squat|/<explicit metadata>] value"

const authUsage = `authenticate [-minssf N] [-maxssf N] [-mechanisms STR]
                    [-service name] [-tlskey keyfile] [-notls]
                    [-cafile cacertfile] [-capath cacertdir]
                    [user]`

// table returns the commands. It is a function because help needs it.
func table() []commandRow {
	return []commandRow{
		{name: "authenticate", aliases: []string{"auth", "login"}, max: 1, usage: authUsage, run: authenticate,
			args:  "[-minssf N] [-maxssf N] [-mechanisms list] [-service name] [-tlskey keyfile] [-notls] [-cafile cacertfile] [-capath cacertdir] [user]",
			about: "authenticate to server",
			flags: []flag{{"mechanisms", true}, {"minssf", true}, {"maxssf", true}, {"service", true}, {"tlskey", true},
				{"notls", false}, {"cafile", true}, {"cadir", true}, {"capath", true}}},
		{name: "chdir", aliases: []string{"cd"}, args: "directory", about: "change current directory", min: 1, max: 1, offline: true, run: chdir},
		{name: "createmailbox", aliases: []string{"create", "cm"}, about: "create mailbox",
			args:  "[--partition partition] [--specialuse specialuse] mailbox [partition]",
			usage: "createmailbox [--partition partition] mailbox [partition]", badFlag: "createmailbox [--partition partition] [--specialuse specialuse] mailbox [partition]",
			flags: []flag{{"partition", true}, {"specialuse", true}}, min: 1, max: 2, run: create},
		{name: "deleteaclmailbox", aliases: []string{"deleteacl", "dam"}, args: "mailbox id [id ...]", about: "remove ACLs from mailbox", min: 2, max: -1, run: deleteACL},
		{name: "deletemailbox", aliases: []string{"delete", "dm"}, args: "mailbox [host]", about: "delete mailbox", min: 1, max: 1, usage: "deletemailbox mailbox", badFlag: "deletemailbox mailbox [host]", run: deleteBox},
		{name: "disconnect", aliases: []string{"disc"}, about: "disconnect from current server", run: disconnect},
		{name: "exit", aliases: []string{"quit"}, args: "[number]", about: "exit cyradm", max: 1, offline: true, run: exit},
		{name: "getmetadata", aliases: []string{"getmd"}, args: "[mailbox]", about: "display mailbox/server metadata", max: -1, errName: "info", run: getMetadata},
		{name: "help", aliases: []string{"?"}, args: "[command]", about: "show commands", max: -1, offline: true, run: help},
		{name: "info", args: "[mailbox]", about: "display mailbox/server annotations", max: -1, run: info},
		{name: "listacl", aliases: []string{"lam", "listaclmailbox"}, args: "mailbox", about: "list ACLs on mailbox", min: 1, max: 1,
			usage: "listaclmailbox mailbox", errName: "listaclmailbox", run: listACL},
		{name: "listmailbox", aliases: []string{"lm"}, args: "[-subscribed] [-specialuse] [pattern [base]]", about: "list mailboxes", max: 2,
			flags: []flag{{"subscribed", false}, {"specialuse", false}, {"recursivematch", false}}, run: listMailbox},
		{name: "listquota", aliases: []string{"lq"}, args: "root", about: "list quotas on specified root", min: 1, max: 1, run: listQuota},
		{name: "listquotaroot", aliases: []string{"lqr", "lqm"}, args: "mailbox", about: "show quota roots and quotas for mailbox", min: 1, max: 1, run: listQuotaRoot},
		{name: "mboxcfg", aliases: []string{"mboxconfig"}, about: "configure mailbox", min: 2, max: 3, errName: "mboxconfig",
			args:  "[--private] mailbox [comment|expire|news2mail|sieve|squat|/<explicit annotation>] value",
			usage: "mboxconfig [--private] mailbox [comment|expire|news2mail|pop3showafter|sharedseen|sieve|squat|/<explicit annotation>] value",
			flags: []flag{{"private", false}}, run: mboxConfig},
		{name: "reconstruct", args: "mailbox", about: "reconstruct mailbox (if supported)", min: 1, max: 1,
			usage: "reconstruct [-r] mailbox", flags: []flag{{"r", false}}, run: reconstruct},
		{name: "renamemailbox", aliases: []string{"rename", "renm"}, about: "rename (and optionally relocate) mailbox", min: 2, max: 3,
			args:  "[--partition partition] oldname newname [partition]",
			usage: "renamemailbox [--partition name] oldname newname [partition]", flags: partition, run: rename},
		{name: "server", aliases: []string{"connect", "servername"}, args: "[-noauthenticate] [server]", about: "show current server or connect to server",
			max: 1, offline: true, flags: []flag{{"noauthenticate", false}}, run: server},
		{name: "setaclmailbox", aliases: []string{"sam", "setacl"}, args: "mailbox id rights [id rights ...]", about: "set ACLs on mailbox", min: 3, max: -1, run: setACL},
		{name: "setinfo", args: "[motd|comment|admin|shutdown|expire|squat] text", about: "set server metadata", min: 2, max: -1, run: setInfo},
		{name: "setmetadata", aliases: []string{"setmd"}, about: "set metadata to mailbox", min: 2, max: 3,
			args:  strings.Replace(metaUsage, "metadata", "annotation", 1),
			usage: "setmetadata " + metaUsage, flags: []flag{{"private", false}}, run: setMetadata},
		{name: "setquota", aliases: []string{"sq"}, args: "mailbox resource value [resource value ...]", about: "set quota on mailbox or resource", min: 1, max: -1, offline: true,
			usage: "setquota mailbox limit num [limit num ...]\n       setquota mailbox num", run: setQuota},
		{name: "subscribe", aliases: []string{"sub"}, args: "[mailbox]", about: "subscribe to a mailbox", max: 1, run: subscribe},
		{name: "unsubscribe", aliases: []string{"unsub"}, args: "[mailbox]", about: "unsubscribe from a mailbox", max: 1, run: unsubscribe},
		{name: "version", aliases: []string{"ver"}, about: "display version info of current server", run: version},
		{name: "xfermailbox", aliases: []string{"xfer"}, about: "transfer (relocate) a mailbox to a different server", min: 2, max: 3,
			args:  "[--partition partition] mailbox server [partition]",
			usage: "xfermailbox [--partition name] mailbox server [partition]", flags: partition, run: xfer},
	}
}

// find returns the command that a word means, or nil.
func find(word string) *commandRow {
	rows := table()
	for i := range rows {
		if rows[i].name == word || slices.Contains(rows[i].aliases, word) {
			return &rows[i]
		}
	}
	return nil
}

// usageError is the error of wrong flags or operands.
func (r *commandRow) usageError() error {
	if r.usage != "" {
		return errors.New("usage: " + r.usage)
	}
	return errors.New(strings.TrimRight("usage: "+r.name+" "+r.args, " "))
}

// flagError is the error of a flag that is not known.
func (r *commandRow) flagError() error {
	if r.badFlag != "" {
		return errors.New("usage: " + r.badFlag)
	}
	return r.usageError()
}

// noServer is the error of a command that needs a server.
func (r *commandRow) noServer() error {
	name := r.name
	if r.errName != "" {
		name = r.errName
	}
	return errors.New(name + ": no connection to server")
}

// command carries out one command. An unknown one is an error: Cyrus would have
// the system's shell run it, in a child that then eats the script.
func (s *Shell) command(c *call) error {
	row := find(c.name)
	if row == nil {
		return fmt.Errorf("%s: unknown command", c.name)
	}
	if !c.parse(row.flags) {
		return row.flagError()
	}
	if len(c.args) < row.min || row.max >= 0 && len(c.args) > row.max {
		return row.usageError()
	}
	if !row.offline && s.admin == nil {
		return row.noServer()
	}
	return row.run(c)
}

// parse takes the flags before the operands, and says whether all are known.
func (c *call) parse(known []flag) bool {
	c.opts = make(map[string]string)
	for len(c.args) > 0 {
		w := c.args[0]
		if w == "--" {
			c.args = c.args[1:]
			return true
		}
		if !strings.HasPrefix(w, "-") {
			return true
		}
		at := slices.IndexFunc(known, func(f flag) bool {
			return strings.HasPrefix("-"+f.name, w) || w == "--"+f.name
		})
		if at < 0 {
			return false
		}
		f := known[at]
		c.args = c.args[1:]
		if !f.value {
			c.opts[f.name] = ""
			continue
		}
		if len(c.args) == 0 {
			return false
		}
		c.opts[f.name] = c.args[0]
		c.args = c.args[1:]
	}
	return true
}
