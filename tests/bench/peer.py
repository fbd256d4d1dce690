#!/usr/bin/env python3
"""Measures retort beside llama.cpp and OpenVINO GenAI: the same shape (Qwen2.5-0.5B, random weights), the same threads,
in turn.

Every run starts the engines anew, ours then the peers, so that all see the same machine; the results of a key are the
medians of its runs, and their ratio is the median of the ratios of runs: shared machines change from one to the next.
Decoding and prompts are measured three times a run. Ours: int8 per channel with int8 activations (int8) and
with float ones (w8a16), int4 in groups of 64 (head int8), and that with an int4 head (int4_pure). The peer: Q8_0, which
stands beside both of int8, Q4_0, which llama-quantize makes of the same shape (head Q8_0), and Q4_0 by its --pure. Where the processor has AMX, the peer runs with its backend for
that (sapphirerapids), as it would choose by itself; elsewhere with the one that its script names. Needs nothing but
Python's standard library.

OpenVINO GenAI is the second peer: PyPI's wheels in a virtual environment of the cache folder, made the first time (some
600 MB) and not asked for again for a day where they cannot be had; the column is then left out, with a message. Its int8
and int4 in groups of 64 come from nncf, symmetric; with its own dynamic quantisation of activations it stands beside int8
(and int4, whose activations it quantises too), without it (DYNAMIC_QUANTIZATION_GROUP_SIZE 0) beside w8a16. It has no
figures of batches here.

  prefill_512            tokens/s of a prompt of 512 tokens, for each engine the fastest of its forms
  decode_int8, …         tokens/s of one sequence, from an empty cache
  bandwidth_share_*      bytes of weights that decoding reads per second, as a share of the read bandwidth that
                         `retort bench` measures in the same run
  batch_8                tokens/s of 8 sequences decoded together, int8; the peer's is llama-server with 8 slots
  batch_8_over_1         the same over those of one sequence
  load_int4_ms           from the file to the first possible token; ratio > 1: ours is faster
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

SHAPE = 'qwen2.5-0.5b'
LESS_IS_BETTER = {'load_int4_ms'}
PAIRS = 3  # a run


def run(command, environment=None):
    done = subprocess.run(command, capture_output=True, text=True, errors='replace', stdin=subprocess.DEVNULL,
                          env=environment)
    if done.returncode != 0:
        sys.exit(f'bench-peer: {" ".join(map(str, command))} ended with {done.returncode}:\n{done.stderr[-2000:]}')
    return done


class Ours:
    def __init__(self, retort, threads, folder):
        self.retort, self.threads, self.folder = retort, threads, folder

    def make(self, quant):
        run([self.retort, 'bench', '--random', SHAPE, '--quant', quant, '--save', self.folder / quant,
             '-p', '32', '-n', '0', '-r', '1', '-t', self.threads])

    def bench(self, quant, prompt, tokens, batches):
        report = json.loads(run([self.retort, 'bench', self.folder / quant, '-p', str(prompt), '-n', tokens, '-r', '1',
                                 '-t', self.threads, '--batch', batches, '--json']).stdout)
        speed = {test['test']: test['tokens_per_second'] for test in report['tests']}
        return report, speed


class Peer:
    def __init__(self, script, threads, tokens):
        self.script, self.threads, self.tokens = script, threads, tokens
        cache = pathlib.Path(os.environ.get('PEER_CACHE', pathlib.Path.home() / '.cache' / 'llama-peer'))
        self.root, self.environment = cache / 'root', dict(os.environ)
        self.amx = 'amx_int8' in pathlib.Path('/proc/cpuinfo').read_text()
        if self.amx:
            self.environment['GGML_BACKEND_PATH'] = str(self._libraries() / 'ggml/backends0/libggml-cpu-sapphirerapids.so')
        self.files = {quant: cache / f'random-0.5b-{name}.gguf'
                      for quant, name in (('int8', 'Q8_0'), ('int4', 'Q4_0'), ('int4-pure', 'Q4_0-pure'))}
        self._make_pure(cache / 'random-0.5b-f16.gguf', self.files['int4-pure'])

    def _make_pure(self, source, target):
        if target.exists():
            return
        partial = target.with_suffix('.partial')
        run([*self._tool('llama-quantize'), '--pure', source, partial, 'Q4_0', self.threads], self.environment)
        partial.replace(target)

    def _libraries(self):
        return self.root / 'usr/lib/x86_64-linux-gnu'

    def _tool(self, name):
        """The start of a command that runs a tool of the peer; the script knows no backend with AMX."""
        if not self.amx:
            return [self.script, name]
        lib = self._libraries()
        return [lib / 'ld-linux-x86-64.so.2', '--library-path', f'{lib}:{lib}/llama:{lib}/ggml/backends0',
                self.root / 'usr/bin' / name]

    def bench(self, quant, prompt, tokens):
        """Tokens/s of the prompt and of generation, and the bytes of the weights."""
        lines = run([*self._tool('llama-bench'), '-m', self.files[quant], '-p', str(prompt), '-n', tokens, '-r', '1', '-t',
                     self.threads, '-o', 'jsonl'], self.environment).stdout.splitlines()
        rows = [json.loads(line) for line in lines if line.startswith('{')]
        speed = {'prompt' if row['n_gen'] == 0 else 'generate': row['avg_ts'] for row in rows}
        return speed, rows[0]['model_size']

    def load_ms(self, quant):
        done = run([*self._tool('llama-completion'), '-m', self.files[quant], '-t', self.threads, '-n', '1', '-p', 'a',
                    '-no-cnv', '--no-warmup', '--ignore-eos', '--perf'], self.environment)
        found = re.search(r'load time\s*=\s*([0-9.]+) ms', done.stdout + done.stderr)
        if not found:
            sys.exit('bench-peer: llama-completion printed no "load time"')
        return float(found.group(1))

    def batch(self, quant, size):
        with socket.socket() as probe:
            probe.bind(('127.0.0.1', 0))
            port = probe.getsockname()[1]
        with tempfile.TemporaryFile() as log:
            server = subprocess.Popen([*self._tool('llama-server'), '-m', self.files[quant], '-t', self.threads, '-np',
                                       str(size), '-c', str(size * 512), '--host', '127.0.0.1', '--port', str(port),
                                       '--no-webui'], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                      env=self.environment)
            try:
                self._wait_for(server, f'http://127.0.0.1:{port}/health', log)
                with concurrent.futures.ThreadPoolExecutor(size) as pool:
                    for count in (8, int(self.tokens)):  # the first to warm up
                        answers = list(pool.map(lambda i: self._complete(port, i, count), range(size)))
            finally:
                server.terminate()
                server.wait()
        return sum(answer['timings']['predicted_per_second'] for answer in answers)

    @staticmethod
    def _wait_for(server, url, log):
        for _ in range(600):
            try:
                with urllib.request.urlopen(url, timeout=1) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                pass
            if server.poll() is not None:
                break
            time.sleep(0.1)
        log.seek(0)
        sys.exit(f'bench-peer: llama-server does not answer:\n{log.read()[-2000:].decode(errors="replace")}')

    @staticmethod
    def _complete(port, index, count):
        body = {'prompt': [index + 1], 'n_predict': count, 'ignore_eos': True, 'temperature': 0, 'cache_prompt': False}
        request = urllib.request.Request(f'http://127.0.0.1:{port}/completion', json.dumps(body).encode(),
                                         {'Content-Type': 'application/json'})
        with urllib.request.urlopen(request, timeout=300) as answer:
            return json.load(answer)


class OpenVino:
    """The second peer; `absent` says why it cannot be had."""

    PACKAGES = ('openvino', 'openvino-genai', 'openvino-tokenizers', 'nncf', 'gguf', 'numpy')
    VARIANTS = {'int8': 'int8', 'w8a16': 'int8', 'int4': 'int4-g64', 'int4-pure': 'int4-pure-g64'}

    def __init__(self, scripts, threads, tokens):
        self.scripts, self.threads, self.tokens, self.absent = scripts, threads, tokens, ''
        cache = pathlib.Path(os.environ.get('XDG_CACHE_HOME', pathlib.Path.home() / '.cache')) / 'retort-bench' / 'openvino'
        self.python, self.model = cache / 'venv/bin/python', cache / 'random.gguf'
        failed = cache / 'absent'
        if not (scripts / 'peer_openvino.py').exists():
            self.absent = f'{scripts / "peer_openvino.py"} is not there'
        elif failed.exists() and time.time() - failed.stat().st_mtime < 86400:
            self.absent = failed.read_text()
        else:
            cache.mkdir(parents=True, exist_ok=True)
            self.absent = self._make(cache)
            failed.unlink(missing_ok=True)
            if self.absent:
                failed.write_text(self.absent)

    def _make(self, cache):
        """What went wrong, or an empty string."""
        variants = [part for name in dict.fromkeys(self.VARIANTS.values()) for part in ('--variant', name)]
        for made, command in (
                (cache / 'venv', [sys.executable, '-m', 'venv', cache / 'venv']),
                (cache / 'ready', [self.python, '-m', 'pip', 'install', '-q', '--retries', '1', '--timeout', '15', *self.PACKAGES]),
                (self.model, [self.python, self.scripts / 'random_gguf_np.py', self.model]),
                (pathlib.Path(f'{self.model}.ov'), [self.python, self.scripts / 'peer_openvino.py', 'prepare', self.model, *variants])):
            if made.exists():
                continue
            print(f'bench-peer: OpenVINO GenAI: {" ".join(map(str, command))}', file=sys.stderr, flush=True)
            done = subprocess.run(list(map(str, command)), capture_output=True, text=True, errors='replace', check=False)
            if done.returncode != 0:
                return f'{" ".join(map(str, command))} ended with {done.returncode}: {done.stderr[-300:].strip()}'
            if made.name == 'ready':
                made.touch()
        return ''

    def bench(self, quant, prompt, tokens):
        """Tokens/s of the prompt and of generation, and the milliseconds of loading."""
        command = [self.python, self.scripts / 'peer_openvino.py', 'row', self.model, '--variant', self.VARIANTS[quant], '-p',
                   str(prompt), '-n', str(tokens), '-t', self.threads, '-r', '1']
        lines = run([*command, '--dq', '0'] if quant == 'w8a16' else command).stdout.splitlines()
        found = {}
        for line in lines:  # | openvino int8 | 2 | pp512 | 659.12 ± 0.00 | load 812 ms |
            row = re.search(r'\| (pp|tg)\d+ \| ([0-9.]+) ± [0-9.]+ \| load ([0-9]+) ms', line)
            if row:
                found[row.group(1)], found['load'] = float(row.group(2)), float(row.group(3))
        if 'tg' not in found:
            sys.exit('bench-peer: peer_openvino.py printed no row:\n' + '\n'.join(lines[-5:]))
        return found


def decode_pairs(ours, peer, other, tokens, add):
    """One sequence, each form of ours right beside the peers'."""
    second = {}
    decode = f'tg{tokens}'
    report8, speed8 = ours.bench('int8', 0, tokens, '1')
    peer8, bytes8 = peer.bench('int8', 0, tokens)
    second['int8'] = other and other.bench('int8', 0, tokens)['tg']
    report16, speed16 = ours.bench('w8a16', 0, tokens, '1')
    second['w8a16'] = other and other.bench('w8a16', 0, tokens)['tg']
    report4, speed4 = ours.bench('int4', 0, tokens, '1')
    peer4, bytes4 = peer.bench('int4', 0, tokens)
    second['int4'] = other and other.bench('int4', 0, tokens)['tg']
    report_pure, speed_pure = ours.bench('int4-pure', 0, tokens, '1')
    peer_pure, bytes_pure = peer.bench('int4-pure', 0, tokens)
    second['int4_pure'] = other and other.bench('int4-pure', 0, tokens)['tg']
    for name, report, speed, theirs, size in (('int8', report8, speed8, peer8, bytes8),
                                              ('w8a16', report16, speed16, peer8, bytes8),
                                              ('int4', report4, speed4, peer4, bytes4),
                                              ('int4_pure', report_pure, speed_pure, peer_pure, bytes_pure)):
        add('decode_' + name, speed[decode], theirs['generate'], second[name])
        add('bandwidth_share_' + name, report['decode_bandwidth_share'],
            theirs['generate'] * size / report['read_bandwidth_bytes_per_second'])


def prefill_pair(ours, peer, other, add):
    """The fastest form of each, all forms in turn."""
    def mine(quant):
        return ours.bench(quant, 512, '0', '1')[1]['pp512']

    def theirs(quant):
        return peer.bench(quant, 512, '0')[0]['prompt']

    first, then = (mine('int8'), theirs('int8')), (mine('w8a16'), theirs('int4'))
    second = other and max(other.bench(quant, 512, 1)['pp'] for quant in ('int8', 'int4'))
    add('prefill_512', max(first[0], then[0], mine('int4')), max(first[1], then[1]), second)


def one_run(ours, peer, other, tokens, add):
    """Ours and the peers in turn; add(key, ours, llama.cpp, OpenVINO or None); `other` may be None."""
    for _ in range(PAIRS):
        decode_pairs(ours, peer, other, tokens, add)
        prefill_pair(ours, peer, other, add)
    speed8 = ours.bench('int8', 0, tokens, '1,8')[1]
    batch, alone = peer.batch('int8', 8), peer.bench('int8', 0, tokens)[0]['generate']
    add('batch_8', speed8[f'tg{tokens} x8'], batch)
    add('batch_8_over_1', speed8[f'tg{tokens} x8'] / speed8[f'tg{tokens}'], batch / alone)
    add('load_int4_ms', ours.bench('int4', 0, '1', '1')[0]['load_ms'], peer.load_ms('int4'),
        other and other.bench('int4', 0, 1)['load'])


def ratio_of(key, mine, theirs):
    """The median of the ratios of runs; above 1: ours is better."""
    return statistics.median(y / x if key in LESS_IS_BETTER else x / y for x, y in zip(mine, theirs))


def row_of(key, mine, theirs, second):
    """What is written of a key, and its line of the table."""
    digits = 2 if key.startswith('bandwidth') or key.endswith('over_1') else 1
    result = {'ours': statistics.median(mine), 'peer': statistics.median(theirs), 'ratio': ratio_of(key, mine, theirs)}
    cells = [f'{result["ours"]:.{digits}f}', f'{result["peer"]:.{digits}f}', f'{result["ratio"]:.2f}×', '', '']
    if second:
        result['openvino'], result['openvino_ratio'] = statistics.median(second), ratio_of(key, mine, second)
        cells[3:] = [f'{result["openvino"]:.{digits}f}', f'{result["openvino_ratio"]:.2f}×']
    return result, f'| {key} | ' + ' | '.join(cells) + ' |'


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--retort', type=pathlib.Path, required=True)
    parser.add_argument('--peer', type=pathlib.Path, required=True, help='llama-peer.sh')
    parser.add_argument('--runs', type=int, default=5)
    parser.add_argument('--threads', default=str(os.cpu_count()))
    parser.add_argument('--tokens', default='128', help='generated in each test of generation')
    parser.add_argument('--out', type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    run([arguments.peer, 'setup'])
    samples = {}

    def add(key, mine, theirs, second=None):
        for values, value in zip(samples.setdefault(key, ([], [], [])), (mine, theirs, second)):
            if value is not None:
                values.append(value)

    other = OpenVino(arguments.peer.parent / 'peers', arguments.threads, arguments.tokens)
    if other.absent:
        print(f'bench-peer: no column of OpenVINO GenAI: {other.absent}', file=sys.stderr, flush=True)
        other = None
    with tempfile.TemporaryDirectory(prefix='retort-bench-peer-') as folder:
        ours = Ours(arguments.retort, arguments.threads, pathlib.Path(folder))
        peer = Peer(arguments.peer, arguments.threads, arguments.tokens)
        for quant in ('int8', 'w8a16', 'int4', 'int4-pure'):
            ours.make(quant)
        for i in range(arguments.runs):
            print(f'run {i + 1} of {arguments.runs}', file=sys.stderr, flush=True)
            one_run(ours, peer, other, arguments.tokens, add)

    result = {}
    print(f'| {SHAPE}, {arguments.threads} threads | retort | llama.cpp | ratio | OpenVINO GenAI | ratio |\n'
          '| --- | ---: | ---: | ---: | ---: | ---: |')
    for key, values in samples.items():
        result[key], line = row_of(key, *values)
        print(line)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    partial = arguments.out.with_suffix('.partial')
    partial.write_text(json.dumps(result, indent=2) + '\n')
    partial.replace(arguments.out)


if __name__ == '__main__':
    main()
