// Package process runs the programs that real k3s has inside itself, so that none outlives the service.
package process

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"
)

// grace is how long a program may take to end before it is killed. An API server with open watches would take a minute;
// etcd, which waits for it, loses nothing then.
const grace = 2 * time.Second

// Group is a set of programs that live and die together.
type Group struct {
	mutex    sync.Mutex
	children []*child
	stopping bool
	ended    chan error
}

type child struct {
	name    string
	process *os.Process
	done    chan struct{}
}

// NewGroup returns an empty group.
func NewGroup() *Group {
	return &Group{ended: make(chan error, 1)}
}

// Ended delivers why the group cannot go on: one of its programs ended by itself.
func (g *Group) Ended() <-chan error {
	return g.ended
}

// Self is this very binary, even after another version has taken its place on the disk.
const Self = "/proc/self/exe"

// Start runs a program until Stop; its words go to the journal with ours.
func (g *Group) Start(name, path string, arguments ...string) error {
	return g.start(name, exec.Command(path, arguments...))
}

// StartSelf runs one of the upstream components in this binary.
func (g *Group) StartSelf(component string, arguments []string) error {
	command := exec.Command(Self, append([]string{component}, arguments...)...)
	command.Args[0] = "k3s"
	return g.start(component, command)
}

func (g *Group) start(name string, command *exec.Cmd) error {
	logrus.Infof("Running %s", strings.Join(command.Args, " "))
	started := make(chan error)
	go g.run(name, command, started)
	return <-started
}

func (g *Group) run(name string, command *exec.Cmd, started chan<- error) {
	// The kernel sends Pdeathsig when the *thread* that started the program ends, so this one must last.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	command.Env = Environment()
	command.Stdout, command.Stderr = os.Stderr, os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	g.mutex.Lock()
	if g.stopping {
		g.mutex.Unlock()
		started <- fmt.Errorf("%s is not started: the service stops", name)
		return
	}
	if err := command.Start(); err != nil {
		g.mutex.Unlock()
		started <- fmt.Errorf("starting %s: %w", name, err)
		return
	}
	this := &child{name, command.Process, make(chan struct{})}
	g.children = append(g.children, this)
	g.mutex.Unlock()
	started <- nil
	err := command.Wait()
	close(this.done)
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if !g.stopping {
		select {
		case g.ended <- fmt.Errorf("%s exited: %v", name, err):
		default:
		}
	}
}

// Stop ends the programs, the last one first.
func (g *Group) Stop() {
	g.mutex.Lock()
	g.stopping = true
	children := slices.Clone(g.children)
	g.mutex.Unlock()
	slices.Reverse(children)
	for _, child := range children {
		_ = child.process.Signal(syscall.SIGTERM) // an error says that it has ended
	}
	deadline := time.After(grace)
	for _, child := range children {
		select {
		case <-child.done:
		case <-deadline:
			logrus.Warnf("%s did not end in %s", child.name, grace)
			deadline = time.After(0)
			_ = child.process.Kill()
			<-child.done
		}
	}
}

// Environment is ours without what children must not have: systemd's socket, on which containerd and etcd would
// say READY for us, and tokens.
func Environment() []string {
	return slices.DeleteFunc(os.Environ(), func(variable string) bool {
		return strings.HasPrefix(variable, "NOTIFY_SOCKET=") || strings.HasPrefix(variable, "K3S_")
	})
}
