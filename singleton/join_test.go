package singleton_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/singleton"
)

// telling are hooks that add their name and what they are told to the story.
func telling(story *[]string, name string) singleton.Hooks {
	tell := func(what string) { *story = append(*story, name+" "+what) }
	return singleton.Hooks{
		OnAcquire: func(context.Context, *singleton.Term) { tell("acquire") },
		OnLose:    func(*singleton.Term, error) { tell("lose") },
		OnHolder:  func(h singleton.Holder) { tell("holder") },
		OnOverrun: func(*singleton.Term) { tell("overrun") },
	}
}

func TestJoinedHooksAreCalledInTurn(t *testing.T) {
	var story []string
	some := singleton.Hooks{OnLose: func(*singleton.Term, error) { story = append(story, "b lose") }}
	all := singleton.JoinHooks(telling(&story, "a"), singleton.Hooks{}, some, telling(&story, "c"))
	all.OnAcquire(t.Context(), nil)
	all.OnLose(nil, nil)
	all.OnHolder(singleton.Holder{})
	all.OnOverrun(nil)
	require.Equal(t, []string{
		"a acquire", "c acquire", "a lose", "b lose", "c lose",
		"a holder", "c holder", "a overrun", "c overrun",
	}, story)
}

// An elector with no hook asks nobody: so must one with none that were joined.
func TestNoHooksJoinedAreNoHooks(t *testing.T) {
	joined := singleton.JoinHooks(singleton.Hooks{}, singleton.Hooks{})
	require.Nil(t, joined.OnAcquire)
	require.Nil(t, joined.OnLose)
	require.Nil(t, joined.OnHolder)
	require.Nil(t, joined.OnOverrun)
}

// The hooks after one that panics have their OnAcquire before their OnLose.
func TestJoinedHooksPairUpWhenOnePanics(t *testing.T) {
	inLab(t, func(l lab) {
		var story []string
		bad := singleton.Hooks{OnAcquire: func(context.Context, *singleton.Term) { panic("hook") }}
		good := telling(&story, "b")
		good.OnHolder = nil
		r := l.run(l.elector("a", func(c *singleton.Config) {
			c.Hooks = singleton.JoinHooks(bad, good)
		}), idle)
		<-r.done
		require.IsType(l, &singleton.PanicError{}, r.panicked)
		require.Equal(l, []string{"b acquire", "b lose"}, story)
	})
}

// OnHolder is told of nobody, and what a program prints of it is not empty.
func TestOnHolderTellsOfNobody(t *testing.T) {
	inLab(t, func(l lab) {
		seen := []string{}
		a := l.elector("a")
		first := l.run(a, idle)
		b := l.elector("b", func(c *singleton.Config) {
			c.Hooks.OnHolder = func(h singleton.Holder) { seen = append(seen, h.String()) }
		})
		b.SetEligible(false)
		l.run(b, idle)
		first.stop()
		sleep(second)
		b.SetEligible(true)
		sleep(second)
		require.Equal(l, []string{a.Identity(), "nobody", b.Identity()}, seen)
	})
}

// A term knows the object that it is held on, also after a raise. Another one is another term's.
func TestTermNamesItsLeaseAndHolder(t *testing.T) {
	inLab(t, func(l lab) {
		e := l.elector("a", func(c *singleton.Config) { c.Fencing.MaxRaise = 1000 })
		_, term := l.work(e)
		shipped := l.Lease("shop", "invoicer").UID
		require.NotEmpty(l, shipped)
		require.Equal(l, shipped, term.LeaseUID())
		require.Equal(l, e.Identity(), term.Identity())
		require.NoError(l, term.Raise(l.Context(), term.Token().Epoch+10))
		require.Equal(l, shipped, term.LeaseUID())

		l.DeleteLease("shop", "invoicer")
		sleep(20 * second)
		require.Equal(l, shipped, term.LeaseUID(), "of the Lease that was")
		next := e.Status().Term
		require.NotNil(l, next)
		require.NotEqual(l, shipped, next.LeaseUID())
		require.Equal(l, l.Lease("shop", "invoicer").UID, next.LeaseUID())
	})
}
