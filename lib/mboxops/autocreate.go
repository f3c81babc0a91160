package mboxops

import (
	"context"
	"errors"
	"strings"

	"gocyrus/lib/acl"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/quota"
)

// Autocreate makes the INBOX of a user who has none, with quota, folders,
// subscriptions and rights as the site says. It is a single look-up when the
// INBOX is there, or when the site makes none. Administrators and proxies get
// none; whether the user is one of autocreate_users is the caller's to know.
func (o *Ops) Autocreate(ctx context.Context, who *Who) error {
	userid := who.UserID
	if !o.Autocreates(who) {
		return nil
	}
	inbox := mboxname.Inbox(userid)
	if _, err := o.live(inbox); err == nil || !errors.Is(err, ErrNotFound) {
		return err
	}
	ctx, unlock, err := o.lockUser(ctx, inbox)
	if err != nil {
		return err
	}
	defer unlock()
	root := Root(userid)
	if _, err := o.Create(ctx, root, inbox, CreateParams{}); err != nil {
		if errors.Is(err, ErrExists) {
			return nil // by another session, just now
		}
		log.Err("autocreateinbox: User %s, INBOX failed. %v", userid, err)
		return err
	}
	if err := o.Subs.Set(o.User(userid), inbox, true); err != nil {
		return err
	}
	if err := o.firstQuota(ctx, root, inbox); err != nil {
		log.Err("autocreateinbox: User %s, QUOTA failed. %v", userid, err)
		return err
	}
	log.Notice("autocreateinbox: User %s, INBOX was successfully created", userid)
	o.firstFolders(ctx, root, userid)
	o.firstShared(userid)
	return nil
}

// Autocreates says whether the site makes INBOXes for users such as the caller.
func (o *Ops) Autocreates(who *Who) bool {
	a := &o.opt.Autocreate
	return (a.Quota >= 0 || a.QuotaMessages >= 0) && who.UserID != "" && who.UserID != "anonymous" && !who.Admin && !who.Proxy
}

// AutocreatesOnDelivery says whether mail for an unknown user makes an INBOX.
func (o *Ops) AutocreatesOnDelivery() bool { return o.opt.Autocreate.Post }

func (o *Ops) firstQuota(ctx context.Context, root *Who, inbox mboxname.Name) error {
	a := &o.opt.Autocreate
	limits := quota.New(inbox).Limit
	if a.Quota > 0 {
		limits[quota.Storage] = a.Quota / quota.Unit[quota.Storage]
	}
	if a.QuotaMessages > 0 {
		limits[quota.Message] = a.QuotaMessages
	}
	return o.SetQuota(ctx, root, inbox, limits)
}

// firstFolders makes the folders beside the INBOX. One that fails is logged
// and does not keep the user from the rest.
func (o *Ops) firstFolders(ctx context.Context, root *Who, userid string) {
	a := &o.opt.Autocreate
	made, subscribed := 0, 0
	for _, folder := range a.Folders {
		n := mboxname.Inbox(userid) + "." + mboxname.Name(strings.ReplaceAll(folder, "/", "."))
		p := CreateParams{}
		if use := a.Use[folder]; use != "" {
			p.SpecialUse = []string{use}
		}
		if _, err := o.Create(ctx, root, n, p); err != nil {
			log.Warning("autocreateinbox: User %s, subfolder %s creation failed. %v", userid, folder, err)
			continue
		}
		made++
		log.Notice("autocreateinbox: User %s, subfolder %s creation succeeded.", userid, folder)
		for _, s := range a.Subscribe {
			if s == folder && o.Subs.Set(o.User(userid), n, true) == nil {
				subscribed++
				log.Notice("autocreateinbox: User %s, subscription to %s succeeded", userid, folder)
			}
		}
		for _, r := range a.ACL {
			if r[0] == folder {
				if err := o.SetACL(ctx, root, n, r[1], r[2]); err != nil {
					log.Warning("autocreateinbox: User %s, subfolder %s, setting ACL %s to %s failed. %v", userid, folder, r[1], r[2], err)
				}
			}
		}
	}
	if made > 0 {
		log.Info("User %s, Inbox subfolders, created %d, subscribed %d", userid, made, subscribed)
	}
}

// firstShared subscribes a new user to the shared folders that the site names,
// or to all that anyone may look up.
func (o *Ops) firstShared(userid string) {
	a := &o.opt.Autocreate
	var names []mboxname.Name
	for _, s := range a.SubscribeShare {
		names = append(names, mboxname.Name(strings.ReplaceAll(s, "/", ".")))
	}
	if a.SubscribeAll {
		err := o.List.Scan("", func(v mboxlist.View) error {
			n := v.Name()
			if n.Owner() == "" && !n.IsDeleted() && !v.Is(mboxlist.FlagDeleted) && v.Type() != nil {
				names = append(names, n)
			}
			return nil
		})
		logged("list of shared folders for", mboxname.Inbox(userid), err)
	}
	for _, n := range names {
		e, err := o.live(n)
		if err != nil || acl.My(e.ACL, func(id string) bool { return id == userid || id == "anyone" })&acl.Lookup == 0 {
			continue
		}
		logged("subscription to", n, o.Subs.Set(o.User(userid), n, true))
	}
}
