/**
 * The program in the machine that starts the command and carries its input and output, in Python because that starts in a
 * fraction of Node's time. As PID 1 it reaps what the command leaves behind, too. It imports only what is built into
 * Python: under software emulation every further module is a tenth of a second.
 *
 * Frames (frames.ts) from us: `G` go, `I` input, `C` end of input, `W` size of the terminal, `K` a signal, `T` end now.
 * From it: `H` hello, `S` started, `O` and `E` output, `X` the end.
 */
import { AGENT_PORT } from './guest-init.ts';

/** The program's text. */
export const AGENT = `import os, select, signal, sys, time
CHUNK = 32768

def find_port():
    while True:
        try:
            for name in os.listdir('/sys/class/virtio-ports'):
                with open('/sys/class/virtio-ports/%s/name' % name) as file:
                    if file.read().strip() == '${AGENT_PORT}': return '/dev/' + name
        except OSError: pass
        time.sleep(0.02)

def power_off():
    os.execv('/usr/bin/busybox', ['busybox', 'poweroff', '-f'])

port = os.open(find_port(), os.O_RDWR)
os.set_inheritable(port, False)
try:
    with open('/proc/self/oom_score_adj', 'w') as file: file.write('-1000')
except OSError: pass

def send(kind, data=b''):
    frame = kind + len(data).to_bytes(4, 'big') + data
    while frame:
        try: frame = frame[os.write(port, frame):]
        except BlockingIOError: select.select([], [port], [])

pending = b''
last_heard = time.monotonic()

def receive():
    global pending, last_heard
    data = os.read(port, CHUNK)
    if not data:
        # Nobody at the other end: not yet, or not any more.
        if time.monotonic() - last_heard > 20: power_off()
        time.sleep(0.02)
        return []
    last_heard = time.monotonic()
    pending += data
    frames = []
    while len(pending) >= 5:
        size = int.from_bytes(pending[1:5], 'big')
        if len(pending) < 5 + size: break
        frames.append((pending[:1], pending[5:5 + size]))
        pending = pending[5 + size:]
    return frames

def fields(data):
    return [part.decode('utf-8', 'surrogateescape') for part in data.split(b'\\0')]

def resize(terminal, columns, rows):
    import fcntl, termios
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, rows.to_bytes(2, 'little') + columns.to_bytes(2, 'little') + bytes(4))

def child(words, environment, inputs, outputs, errors, terminal):
    try:
        os.setsid()
        if terminal:
            import fcntl, termios
            fcntl.ioctl(inputs, termios.TIOCSCTTY, 0)
        os.dup2(inputs, 0); os.dup2(outputs, 1); os.dup2(errors, 2)
        for number in (signal.SIGPIPE, signal.SIGCHLD, signal.SIGTERM, signal.SIGINT): signal.signal(number, signal.SIG_DFL)
        with open('/proc/self/oom_score_adj', 'w') as file: file.write('0')
        os.chdir('/root')
        os.environ.clear()
        os.environ.update(environment)
        os.execvp(words[0], words)
    except FileNotFoundError:
        os.write(2, ('tsengine lab: no program %s in the machine\\n' % words[0]).encode('utf-8', 'surrogateescape'))
        os._exit(127)
    except BaseException as error:
        os.write(2, ('tsengine lab: cannot start %s: %s\\n' % (words[0], getattr(error, 'strerror', error))).encode('utf-8', 'surrogateescape'))
        os._exit(126)

def start(data):
    # columns, rows (0 without a terminal), number of words, words, NAME=VALUE...
    columns, rows, count, *rest = fields(data)
    columns, rows, count = int(columns), int(rows), int(count)
    words, environment = rest[:count], dict(pair.split('=', 1) for pair in rest[count:] if pair)
    if columns:
        master, slave = os.openpty()
        resize(slave, columns, rows)
        pid = os.fork()
        if pid == 0: child(words, environment, slave, slave, slave, True)
        os.close(slave)
        return pid, master, {master: b'O'}, master
    in_read, in_write = os.pipe()
    out_read, out_write = os.pipe()
    err_read, err_write = os.pipe()
    pid = os.fork()
    if pid == 0: child(words, environment, in_read, out_write, err_write, False)
    for end in (in_read, out_write, err_write): os.close(end)
    return pid, in_write, {out_read: b'O', err_read: b'E'}, 0

def full_disks():
    # Mount points of disks without room; what is read-only has none by its nature.
    found = []
    with open('/proc/self/mounts') as file:
        for line in file:
            device, path, kind, options = line.split(' ')[:4]
            if not device.startswith('/dev/') or 'ro' in options.split(','): continue
            try: room = os.statvfs(path)
            except OSError: continue
            if room.f_bavail * room.f_frsize < 1 << 20: found.append(path)
    return found

def sync_results():
    if not os.path.ismount('/results'): return
    pid = os.fork()
    if pid == 0: os.execv('/usr/bin/sync', ['sync', '-f', '/results'])
    os.waitpid(pid, 0)

wake_read, wake_write = os.pipe()
for end in (wake_read, wake_write): os.set_blocking(end, False)
signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
signal.signal(signal.SIGCHLD, lambda *_: None)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
send(b'H', os.uname().release.encode())

pid, code, inputs, outputs, terminal = None, None, None, {}, 0
queue, ended, over = b'', False, False
while code is None:
    readable = [port, wake_read] + list(outputs)
    if len(queue) > 1 << 20: readable.remove(port)
    ready, writable, _ = select.select(readable, [inputs] if queue and inputs is not None else [], [])
    if port in ready:
        for kind, data in receive():
            if kind == b'G' and pid is None:
                pid, inputs, outputs, terminal = start(data)
                for end in [inputs] + list(outputs): os.set_blocking(end, False)
                send(b'S')
            elif kind == b'I': queue += data
            elif kind == b'C': ended = True
            elif kind == b'W' and terminal: resize(terminal, *map(int, fields(data)))
            elif kind == b'K' and pid is not None:
                try: os.killpg(pid, int(data))
                except OSError: pass
            elif kind == b'T': over = True
    if writable:
        try: queue = queue[os.write(inputs, queue[:CHUNK]):]
        except BlockingIOError: pass
        except OSError: queue, ended = b'', True
    if ended and not queue and inputs is not None and not terminal:
        os.close(inputs)
        inputs = None
    for end in [end for end in ready if end in outputs]:
        try: data = os.read(end, CHUNK)
        except BlockingIOError: continue
        except OSError: data = b''
        if data: send(outputs[end], data)
        else: del outputs[end]
    if wake_read in ready:
        try: os.read(wake_read, 4096)
        except BlockingIOError: pass
        while True:
            try: found, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError: break
            if found == 0: break
            if found == pid: code = os.waitstatus_to_exitcode(status)
    if over: break

# What the command wrote before it ended is in the pipes. Who else holds them is not waited for.
for end in list(outputs):
    while not over:
        try: data = os.read(end, CHUNK)
        except OSError: break
        if not data: break
        send(outputs[end], data)
signal.signal(signal.SIGCHLD, signal.SIG_DFL)
sync_results()
number = 0 if code is None else code if code >= 0 else 128 - code
send(b'X', '\\0'.join([str(number)] + (full_disks() if number else [])).encode())
while True:
    receive()
    try: os.waitpid(-1, os.WNOHANG)
    except OSError: pass
`;
