#!/usr/bin/env python3
"""What bench-peer computes and writes, and that a peer that cannot be had is left out and named."""
import os
import pathlib
import tempfile
import unittest
import unittest.mock

import peer


class Rows(unittest.TestCase):
    def test_ratios_are_medians_of_those_of_runs(self):
        self.assertAlmostEqual(peer.ratio_of('decode_int8', [10, 30, 20], [10, 10, 5]), 3)
        self.assertAlmostEqual(peer.ratio_of('load_int4_ms', [10, 20], [20, 60]), 2.5)

    def test_a_row_has_both_peers_or_one(self):
        result, line = peer.row_of('decode_int8', [20.0], [10.0], [16.0])
        self.assertEqual(result, {'ours': 20.0, 'peer': 10.0, 'ratio': 2.0, 'openvino': 16.0, 'openvino_ratio': 1.25})
        self.assertEqual(line, '| decode_int8 | 20.0 | 10.0 | 2.00× | 16.0 | 1.25× |')
        result, line = peer.row_of('bandwidth_share_int8', [0.8], [0.4], [])
        self.assertEqual(result, {'ours': 0.8, 'peer': 0.4, 'ratio': 2.0})
        self.assertEqual(line, '| bandwidth_share_int8 | 0.80 | 0.40 | 2.00× |  |  |')


class SecondPeer(unittest.TestCase):
    def open(self, folder, scripts=('peer_openvino.py',)):
        for name in scripts:
            (folder / name).touch()
        with unittest.mock.patch.dict(os.environ, {'XDG_CACHE_HOME': str(folder / 'cache')}):
            return peer.OpenVino(folder, '2', '16')

    def test_what_cannot_be_had_is_said_and_not_asked_for_again(self):
        with tempfile.TemporaryDirectory() as name, unittest.mock.patch('subprocess.run') as run:
            folder = pathlib.Path(name)
            self.assertIn('is not there', self.open(folder, ()).absent)
            run.assert_not_called()
            run.return_value.returncode, run.return_value.stderr = 1, 'no route to host'
            self.assertIn('no route to host', self.open(folder).absent)
            self.assertEqual(run.call_count, 1)
            self.assertIn('no route to host', self.open(folder).absent)
            self.assertEqual(run.call_count, 1)

    def test_reads_the_rows_of_its_script(self):
        with tempfile.TemporaryDirectory() as name, unittest.mock.patch('subprocess.run') as run:
            run.return_value.returncode = 0
            other = self.open(pathlib.Path(name))
            self.assertEqual(other.absent, '')
            run.return_value.stdout = ('| openvino int8 dq=0 | 2 | pp512 | 659.12 ± 0.00 | load 812 ms |\n'
                                       '| openvino int8 dq=0 | 2 | tg16 | 51.40 ± 0.00 | load 812 ms |\n')
            self.assertEqual(other.bench('w8a16', 512, 16), {'pp': 659.12, 'tg': 51.4, 'load': 812.0})
            self.assertEqual([str(part) for part in run.call_args.args[0]][-2:], ['--dq', '0'])
            other.bench('int4', 0, 16)
            self.assertIn('int4-g64', [str(part) for part in run.call_args.args[0]])
            run.return_value.stdout = 'Traceback'
            with self.assertRaises(SystemExit):
                other.bench('int8', 0, 16)


if __name__ == '__main__':
    unittest.main()
