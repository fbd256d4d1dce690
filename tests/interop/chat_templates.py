#!/usr/bin/env python3
"""Writes tests/golden/chat_templates.json: what Jinja2, set up by Transformers, makes of templates and data.

    python3 -m venv venv && venv/bin/pip install jinja2==3.1.6 transformers==5.24.0
    venv/bin/python tests/interop/chat_templates.py shared/data/jinja-chat-template-vectors tests/golden/chat_templates.json

"language" has small templates of this project's own; "models" has conversations for templates of published models,
which are named only: they are read from the folder of vectors. A case has either "text" or the "line" of its error.
"""
import datetime
import importlib.metadata
import json
import sys

import jinja2
from transformers.utils import chat_template_utils

DATA = {
    "s": "Hello, Wörld! it's ok", "e": "", "n": 7, "f": 2.5, "t": True, "z": None, "l": [3, 1, 2], "w": "  a b\t\n",
    "d": {"b": 2, "a": 1, "C": 3}, "m": "one\ntwo\n\nthree", "names": ["bob", "Alice", "Zoe", "alice"],
    "users": [{"name": "Bob", "age": 5, "x": {"y": 1}}, {"name": "al", "age": 3, "x": {"y": 2}}, {"name": "Cy", "age": 5}],
    "q": ["it's", 'say "hi"', "both ' and \"", "tab\t", "ü\u00a0\u200b\U0001f917", "\x01\x7f"],
    "nested": {"k": [1, 2.0, None, True, {"z": "é\n</x>"}]}, "big": 1e22, "small": 0.00001, "third": 1 / 3,
}

# One template a line; those with several lines are below.
LINES = r"""
{{ t }} {{ z }} {{ f }} {{ n }} {{ l }} {{ d }} {{ q }} {{ nested }} {{ big }} {{ small }} {{ third }}
{{ 1e16 }} {{ 1e15 }} {{ 123456789.125 }} {{ 0.0001 }} {{ -0.0 }} {{ 1.0 }} {{ 100.0 }} {{ 1e300 * 1e10 }}
{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }} {{ 7 / 2 }} {{ 6 / 2 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ 2 ** 0.5 }}
{{ 1 + 2 * 3 - 4 }} {{ (1 + 2) * 3 }} {{ 2 ** 3 ** 2 }} {{ -2 ** 2 }} {{ 1 - - 1 }} {{ true + 1 }} {{ 'ab' * 3 }} {{ [1] * 2 }} {{ 2 * 'x' }} {{ 'x' * -1 }}
{{ 1 == 1.0 }} {{ true == 1 }} {{ '1' == 1 }} {{ [1, 2] == [1, 2] }} {{ (1, 2) == [1, 2] }} {{ {'a': 1} == {'a': 1.0} }} {{ none == false }} {{ undef == none }} {{ undef == undef2 }}
{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 'a' < 'b' }} {{ 'Z' < 'a' }} {{ [1, 2] < [1, 3] }} {{ 1 < 2 == true }} {{ 3 >= 3 > 2 }}
{{ 'a' in 'cat' }} {{ 'x' not in 'cat' }} {{ 1 in l }} {{ 'a' in d }} {{ 'a' in d.keys() }} {{ 1 in d.values() }} {{ true in [1] }} {{ '' in '' }} {{ 1 in undef }}
{{ not 1 in l }} {{ not (1 in l) }} {{ not undef }} {{ 1 and 0 or 'x' }} {{ undef or 'y' }} {{ z and 1 }} {{ not z is none }}
{{ 'a' ~ 1 ~ none ~ true ~ 1.5 ~ undef ~ [1, 'x'] }}
{{ 'yes' if t else 'no' }} {{ 'yes' if z }} {{ 1 if 0 else 2 if 0 else 3 }} {{ ('a' if t) ~ 'b' }}
{{ s | upper }} {{ s | lower }} {{ s | title }} {{ s | capitalize }} {{ s | length }} {{ s.title() }} {{ s.capitalize() }} {{ 'straße ΑΣ ǆ ﬁ' | upper }} {{ 'İ ΑΣ Σ' | lower }}
[{{ w | trim }}] [{{ w.strip() }}] [{{ w.lstrip() }}] [{{ w.rstrip() }}] [{{ 'xxaxx' | trim('x') }}] [{{ 'xyaxy'.strip('yx') }}] [{{ 'xyaxy'.rstrip('y') }}] [{{ '\u3000a\u00a0'.strip() }}]
{{ s[0] }} {{ s[-1] }} {{ s[7:12] }} {{ s[::-1] }} {{ s[:5] }} {{ s[-3:] }} {{ s[8] }} {{ s[100:] }} {{ s[::3] }} {{ s[5:2:-1] }} [{{ s[99] }}]
{{ l[0] }} {{ l[-1] }} {{ l[1:] }} {{ l[::-1] }} {{ l[:-1] }} {{ l[5:] }} {{ l[-9:9] }} [{{ l[9] }}] {{ (1, 2, 3)[1:] }} {{ (1,) }} {{ () }} {{ range(5)[1:3] | list }}
{{ d.a }} {{ d['b'] }} {{ d.get('x') }} {{ d.get('x', 5) }} {{ d.get('a') }} [{{ d.nope }}] [{{ d['nope'] }}] {{ d.items() }} {{ d.keys() }} {{ d.values() }} {{ d | items | list }}
{{ d | dictsort }} {{ d | dictsort(true) }} {{ d | dictsort(false, 'value') }} {{ d | dictsort(reverse=true) }} {{ d | list }} {{ d | length }} {{ d | first }} {{ d | last }}
{{ l | sort }} {{ l | sort(reverse=true) }} {{ names | sort }} {{ names | sort(case_sensitive=true) }} {{ users | sort(attribute='age,name') | map(attribute='name') | list }} {{ users | sort(attribute='age', reverse=true) | map(attribute='name') | join(',') }}
{{ names | unique | list }} {{ names | unique(true) | list }} {{ users | unique(attribute='age') | map(attribute='name') | list }} {{ l | max }} {{ l | min }} {{ users | max(attribute='age') }} {{ [] | max }} {{ l | sum }} {{ users | sum('age') }} {{ users | sum(attribute='age', start=1) }}
{{ l | first }} {{ l | last }} {{ [] | first }} {{ s | first }} {{ s | last }} {{ l | reverse | list }} {{ s | reverse }} {{ l | join }} {{ l | join(', ') }} {{ users | join('|', attribute='name') }} {{ [1, none, 'a'] | join('-') }}
{{ users | selectattr('age', 'equalto', 5) | map(attribute='name') | list }} {{ users | rejectattr('x') | map(attribute='name') | list }} {{ users | selectattr('x', 'defined') | list | length }} {{ l | select('odd') | list }} {{ l | reject('gt', 1) | list }} {{ [0, 1, '', 'a'] | select | list }}
{{ names | map('upper') | list }} {{ names | map('replace', 'o', '0') | join(' ') }} {{ users | map(attribute='x.y', default='-') | list }} {{ ['1', '2'] | map('int') | sum }} {{ names | map('length') | list }} {{ [] | map('upper') | list }}
{% set g = l | select('odd') %}{{ g | list }}{{ g | list }}{{ 'true' if g else 'false' }}
{% set g = [] | select('odd') %}{{ 'true' if g else 'false' }}{% for x in g %}{{ x }}{% else %}none{% endfor %}
{{ undef | default('d') }} {{ z | default('d') }} {{ z | default('d', true) }} {{ '' | default('d', boolean=true) }} {{ undef | d }} {{ d.nope | default('x') }} {{ e | d('E', true) }}
{{ '42' | int }} {{ '4.7' | int }} {{ 'x' | int }} {{ 'x' | int(9) }} {{ -4.7 | int }} {{ none | int }} {{ ' 5 ' | int }} {{ '1_000' | int }} {{ '+3' | int }} {{ '1.5e2' | float }} {{ 'x' | float }} {{ 3 | float }} {{ 'nan' | float }} {{ '-inf' | float }} {{ [] | int }}
{{ 2.5 | round }} {{ 3.5 | round }} {{ 2.675 | round(2) }} {{ 5 | round }} {{ 2.1 | round(0, 'ceil') }} {{ 2.19 | round(1, 'floor') }} {{ -2.5 | round }} {{ -5 | abs }} {{ -5.5 | abs }} {{ true | abs }}
{{ m | indent }}|{{ m | indent(2) }}|{{ m | indent(2, true) }}|{{ m | indent(2, blank=true) }}|{{ m | indent('> ') }}|{{ m | indent(width=1, first=true) }}
{{ 'a-b_c d(e' | title }} {{ "it's o'clock" | title }} {{ "it's o'clock".title() }} {{ 'x' | capitalize }} {{ 'éa'.capitalize() }}
{{ nested | tojson }} {{ nested | tojson(indent=2) }} {{ s | tojson }} {{ s | tojson(ensure_ascii=true) }} {{ q | tojson }} {{ [] | tojson(indent=1) }} {{ {} | tojson }} {{ (1, 2) | tojson }} {{ {1: 2, none: true, 2.5: 'x', true: 0} | tojson }} {{ big | tojson }} {{ small | tojson }}
{{ d | tojson(sort_keys=true) }} {{ nested | tojson(separators=(',', ':')) }} {{ nested | tojson(indent='--') }} {{ l | tojson(indent=0) }} {{ '🤗' | tojson(ensure_ascii=true) }} {{ d | tojson(true, 1, none, true) }}
{{ 'a,b,c'.split(',') }} {{ 'a,b,c'.split(',', 1) }} {{ ' a  b '.split() }} {{ ' a  b c'.split(none, 1) }} {{ 'a,b,c'.rsplit(',', 1) }} {{ 'abc'.split('x') }} {{ ''.split(',') }} {{ ''.split() }} {{ 'a\nb\r\nc\n'.splitlines() }} {{ 'k=v=w'.partition('=') }} {{ 'kv'.partition('=') }}
{{ s.startswith('Hello') }} {{ s.startswith(('x', 'H')) }} {{ s.endswith('ok') }} {{ s.find('W') }} {{ s.find('ö') }} {{ s.find('zz') }} {{ s.rfind('o') }} {{ s.count('o') }} {{ s.index('W') }} {{ s.startswith('W', 7) }} {{ s.find('l', 4) }} {{ 'aaa'.count('aa') }} {{ 'ab'.count('') }}
{{ s.replace('l', 'L') }} {{ s.replace('l', 'L', 1) }} {{ s | replace('l', '') }} {{ s | replace('o', 0, 1) }} {{ 'abc'.replace('', '-') }} {{ 123 | replace(2, 'x') }} {{ 'aaa' | replace('a', 'b', none) }}
{{ '-'.join(['a', 'b']) }} {{ 'abc'.upper().lower() }} {{ 'abc'.removeprefix('a') }} {{ 'abc'.removesuffix('c') }} {{ '7'.zfill(3) }} {{ '-7'.zfill(4) }} {{ 'a'.ljust(3) }}| {{ 'a'.rjust(3, '*') }}
{{ '12'.isdigit() }} {{ 'a1'.isalnum() }} {{ 'ab'.isalpha() }} {{ ' '.isspace() }} {{ 'AB'.isupper() }} {{ 'ab'.islower() }} {{ ''.isalpha() }} {{ '1'.isdecimal() }} {{ 'Ab' is lower }} {{ 'AB' is upper }} {{ 1 is lower }}
{{ undef is defined }} {{ n is defined }} {{ d.x is defined }} {{ z is none }} {{ undef is none }} {{ n is number }} {{ t is number }} {{ f is float }} {{ n is integer }} {{ t is integer }} {{ t is boolean }} {{ s is string }} {{ d is mapping }} {{ l is sequence }} {{ s is sequence }} {{ l is iterable }} {{ n is iterable }} {{ undef is iterable }} {{ undef is sequence }} {{ d is sequence }}
{{ 3 is odd }} {{ 4 is even }} {{ 9 is divisibleby 3 }} {{ 9 is divisibleby(2) }} {{ 3 is eq 3 }} {{ 3 is gt 2 }} {{ 3 is in l }} {{ 3 is not in l }} {{ z is sameas none }} {{ t is true }} {{ 1 is true }} {{ false is false }} {{ not t is false }} {{ raise_exception is callable }}
{{ range(4) | list }} {{ range(2, 8, 3) | list }} {{ range(3, 0, -1) | list }} {{ range(0) | list }} {{ range(3) | length }} {{ 2 in range(3) }} {{ dict(a=1, b=2) }} {{ dict([('x', 1)]) }} {{ dict({'a': 1}, b=2) }} {{ {'a': 1, 'a': 2} }}
{{ users[0].name }} {{ users.0.name }} {{ users[0]['x'].y }} {{ users[-1].age }} {{ users | length }} {{ nested.k[4].z }} {{ {'items': 1}['items'] }} {{ d['items']() | list }}
{{ [1, 2, 3, 4, 5] | batch(2) | list }} {{ [1, 2, 3] | batch(2, 0) | list }} {{ [1, 2, 3, 4, 5] | slice(3) | list }} {{ [1, 2, 3, 4] | slice(3, 'x') | list }}
{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.previtem }}{{ loop.nextitem }};{% endfor %}
{% for x in l if x > 1 %}{{ loop.index }}/{{ loop.length }}:{{ x }}{{ loop.cycle('a', 'b') }}{{ loop.last }} {% else %}none{% endfor %}
{% for x in [1, 1, 2] %}{{ loop.changed(x) }} {% endfor %}{% for x in [] %}a{% else %}b{% endfor %}{% for k, v in d.items() %}{{ k }}{{ v }}{% endfor %}{% for k in d %}{{ k }}{% endfor %}{% for c in 'añ' %}{{ c }}.{% endfor %}
{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}{% for x in undef %}x{% endfor %}{% for i in range(3) %}{% for j in range(i) %}{{ loop.index }}{{ i }}{% endfor %}{{ loop.index }}{% endfor %}
{% for x in range(9) %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 5 %}{% break %}{% endif %}{{ x }}{% endfor %}
{% set x = 1 %}{% for i in l %}{{ x }}{% set x = x + i %}{{ x }} {% endfor %}{{ x }}{% if t %}{% set x = 9 %}{% endif %}{{ x }}
{% set ns = namespace(a=1, b='x') %}{% for i in l %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}{{ ns.b }}{{ ns['a'] }}[{{ ns.c }}]{% set ns.c = 3 %}{{ ns.c }}{% set m = namespace({'q': 1}) %}{{ m.q }}
{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set c = a, b %}{{ c }}{% set x %}in {{ a }}{% endset %}{{ x }}{% set y | upper %}abc{% endset %}{{ y }}{% set v = [x, y] %}{{ v }}
{% macro f(a, b=2, c=a) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ f(1) }} {{ f(1, 3) }} {{ f(1, c=4) }} {{ f(b=1, a=0) }} [{{ f() }}]
{% macro f(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, 3, x=4) }} {% macro g() %}{{ caller(5) }}{% endmacro %}{% call(v) g() %}<{{ v }}>{% endcall %}
{% macro f() %}{{ late }}{% endmacro %}{% set late = 1 %}{{ f() }}{% macro r(k) %}{% if k %}{{ k }}{{ r(k - 1) }}{% endif %}{% endmacro %}{{ r(4) }}
{% with a = 1, b = n %}{{ a }}{{ b }}{% set a = 5 %}{{ a }}{% endwith %}[{{ a }}]{% filter upper %}abc{{ s }}{% endfilter %}{% filter replace('a', 'b') | upper %}aXa{% endfilter %}
{% generation %}{% set g = 1 %}text{{ g }}{% endgeneration %}[{{ g }}]{% raw %}{{ not this }} {% nor this %}{% endraw %}{# a comment #}{#- another -#} x
{{ 'a' 'b' }} {{ "q\"q" }} {{ 'q\'q' }} {{ 'n\nn' }} {{ 't\tt' }} {{ '\\' }} {{ '\x41\u00e9\U0001f917' }} {{ '\d\%' }} {{ 'it''s' }}
{{ {'a': {'b': {'c': 1}}}.a.b.c }} {{ {'a': 1}}} {{ [{'x': [1]}][0].x[0] }} {{ {} }} {{ [[], {}, ()] }} {{- ' trimmed ' -}}   x
{{ (1 if z else 2) + 3 }} {{ 1, 2 }} {{ l|length > 2 and d|length == 3 }} {{ -1 | abs }} {{ (-1) | abs }} {{ 5 is number and 'x' is string }} {{ 1.5 | string + 'x' }} {{ 'x' + 1 | string }}
{{ "%s" }} {{ '{}' }} {{ '{' }} }} { % %} #} a{b }c {{ '}}' }} {{ '%}' }} {{ "{%" }}
{{ x.y if x is defined else 'undef' }} {{ users | map(attribute='name') | map('lower') | select('in', ['bob', 'cy']) | join('+') }} {{ users | selectattr('age') | first }}
{{ strftime_now('%d %b %Y') }} {{ strftime_now('%Y-%m-%dT%H:%M:%S') }} {{ strftime_now('%A, %B %-d %j %y %I%p %%') }}
{{ d.items() | sort(attribute='1') | list }} {{ d.values() | list | sort }} {{ d.items() | map('first') | list }} {{ d | items | map(attribute=0) | list }} {{ d.copy() }} {{ l.index(2) }} {{ l.count(3) }}
{{ '<a>' | safe }} {{ ('<' | safe) ~ '<' }} {{ ('<' | safe) + '<&"\'>' }} {{ '<' + ('>' | safe) }} {{ ('<' | safe) + ('>' | safe) }} {{ nested | tojson | safe }} {{ ('<' | safe) * 2 + '<' }}
{% set x = '<b> c' | safe %}{{ x[0] + '<' }} {{ x[1:] + '<' }} {{ x.upper() + '<' }} {{ x.strip('<') + '<' }} {{ x.replace('b', '<') }} {{ x | replace('b', '<') + '<' }} {{ x | trim + '<' }} {{ x | upper + '<' }} {{ x | title + '<' }} {{ x | string + '<' }} {{ x | reverse + '<' }}
{% set x = ', <' | safe %}{{ x.join(['<', 'a']) }} {{ ['<', 'a'] | join(x) + '<' }} {{ x.split('<') }} {{ x.partition('<') }} {{ x.split(',')[1] + '<' }} {{ x.ljust(5) + '<' }}| {{ x.rjust(5, '*') }} {{ x.removeprefix(',') + '<' }} {{ [x] }} {{ {'a': x} | tojson }} {{ x | indent(1, true) + '<' }}
{% set x = '<' | safe %}{{ x == '<' }} {{ x in '<>' }} {{ '<' in x }} {{ x is string }} {{ x | length }} {{ {'<': 1}[x] }} {{ x < 'a' }} {{ x if x is string else 'no' }} {{ (x | default('d')) + '<' }} {{ [x, '<'] | unique | list }} {{ x.startswith('<') }} {% for c in x %}{{ c + '<' }}{% endfor %} {{ ['<'] | map('safe') | first + '<' }}
{% set v = 5 %}{% set v = v if v is string else v | tojson | safe %}{{ '<p>\n' ~ v ~ '\n</p>' }}{{ v }} {% set b %}{{ v }}<{% endset %}{{ b + '<' }} {% macro f(a) %}{{ a }}{% endmacro %}{{ f(v) + '<' }} {{ undef | safe }} {{ none | safe }} {{ 1 | safe + '&' }} {% filter safe %}<{{ v }}>{% endfilter %}
{{ ('<' | safe) + 1 }}
{{ x.y | safe }}
{{ undef.x }}
{{ undef['x'] }}
{{ d.nope.deeper }}
{{ z.x }} {{ z.x.y }}
{{ n.x is defined }} {{ undef[1:] }}
{{ 'a' + 1 }}
{{ 1 + 'a' }}
{{ 'a' + none }}
{{ undef + 'a' }}
{{ 1 / 0 }}
{{ 1 < 'a' }}
{{ [1, 'a'] | sort }}
{{ undef() }}
{{ d() }}
{{ raise_exception('no ' ~ n) }}
{{ undef | tojson }}
{{ (l | map('upper')) | length }}
{{ range(200000) | length }}
{{ 1 in 'abc' }}
{{ 1 in 5 }}
{{ n | items | list }}
{{ none | length }}
{{ {[1]: 2} }}
{{ l.append(4) }}
{{ d.update({'x': 1}) }}
[{{ l.append }}] [{{ d.pop }}] [{{ d.__class__ }}] [{{ s.__len__ }}]
{{ d.__class__.x }}
{% set d.x = 1 %}
{% for a, b in l %}{% endfor %}
{% macro f(a) %}{% endmacro %}{{ f(1, 2) }}
{% macro f(a) %}{% endmacro %}{{ f(b=2) }}
{{ s.nope() }}
{{ 'abc'.index('z') }}
{{ 'a'.join([1]) }}
{{ 'a'.split('') }}
{{ s | nofilter }}
{{ s is notest }}
{{ s
{{ 1 + }}
{% if %}{% endif %}
{% if t %}
{% endif %}
{% for x in l %}{% endif %}
{% nope %}
{{ (1, 2 }}
{{ 'abc }}
{# open
{% raw %} open
{% break %}
{% set 1 = 2 %}
{% set true = 2 %}
{{ 5 is divisibleby 2 is true }}
{{ a b }}
{{ f(a=1, 2) }}
{% macro f(a=1, b) %}{% endmacro %}
{{ @ }}
"""

BLOCKS = [
    "a\n{% if true %}\nb\n{% endif %}\nc\n",
    "a\n  {% if true %}  \n  b\n  {% endif %}\n  c\n\n",
    "{%- if true -%}\n   x  \n{%- endif -%}\n  y",
    "  {%+ if true %}x{%+ endif %}\n  z",
    "{% if true +%}\nx\n{% endif +%}\ny",
    "a {#- c -#} b\n  {# only #}\nc {# mid #} d\n{#+ keep #}\ne {# end +#}\nf",
    "{{ 1 }}\n{{ 2 }}\n\n{{- 3 -}}\n\n{{ 4 }}\n",
    "  {{ 1 }}  \n\t{%- set x = 1 %}\n\t{{ x }}\n",
    "a\r\nb{% set x = 1 %}\r\nc\rd\n\n",
    "{% raw %}\n {{ x }} \n{% endraw %}\nb",
    "{%- raw -%}\n {{ x }} \n{%- endraw -%}\n b",
    "x\n  {% raw %}y{% endraw %}\nz\n  {%- raw %} w {% endraw -%}  \nv",
    "{% for x in [1, 2] %}\n  - {{ x }}\n{% endfor %}\nend",
    "{% for x in [1, 2] -%}\n  - {{ x }}\n{%- endfor %}\nend",
    "{% set x %}\n  text\n{% endset %}[{{ x }}]",
    "{% macro f(x) %}\n  <{{ x }}>\n{% endmacro %}\n{{ f(1) }}\n{{- f(2) }}",
    "line one\nline {{ undef.x }}",
    "line one\n\n{% if true %}\n{{ 1 + 'a' }}{% endif %}",
    "one\n{% set x = 1 %}\n{% nope %}",
    "\n\n  {{\n  1\n  +\n  2 }}\n",
    "{% if true %}{% elif x %}{% else %}{% endif %}{%if n%}a{%endif%}{%-for x in l-%} {{x}} {%-endfor-%}",
    "{{ '\\\\n' }}{{ \"a\nb\" }}\n{{ 'a\\\nb' }}",
    "\ufeffa{{ 'ü' }}\u2028b \u00a0{%- if true %}\u3000{%- endif %}x",
    "{% set x = {\n  'a': 1,\n  'b': [\n    1, 2,\n  ],\n} %}\n{{ x }}",
]

TOOLS = [{"type": "function", "function": {"name": "get_weather", "description": "Weather \"now\" & <later>", "parameters": {
    "type": "object", "properties": {"city": {"type": "string", "description": "Where, e.g. Zürich"},
                                     "days": {"type": "integer", "default": 1}, "unit": {"type": "string", "enum": ["C", "F"]},
                                     "exact": {"type": "boolean", "default": False}}, "required": ["city"]}}},
         {"type": "function", "function": {"name": "stop", "description": "Stops.", "parameters": {"type": "object", "properties": {}}}}]
CALL = {"id": "call00001", "type": "function", "function": {"name": "get_weather", "arguments": {"city": "Zürich", "days": 2, "exact": True, "f": 1.0}}}
SYSTEM = {"role": "system", "content": "You are  terse.\n"}
USER = {"role": "user", "content": " What's the weather in \"Zürich\"? <b>\n"}
ANSWER = {"role": "assistant", "content": "Let me see. "}
CALLING = {"role": "assistant", "content": "", "tool_calls": [CALL]}
RESULT = {"role": "tool", "name": "get_weather", "tool_call_id": "call00001", "content": "{\"celsius\": 21.5}"}
THOUGHT = {"role": "assistant", "content": "<think>\nhm\n</think>\n\n21 degrees."}

CONVERSATIONS = {
    "user": {"messages": [USER], "add_generation_prompt": True},
    "system": {"messages": [SYSTEM, USER, ANSWER, USER], "add_generation_prompt": True},
    "answered": {"messages": [SYSTEM, USER, ANSWER]},
    "tools": {"messages": [SYSTEM, USER], "tools": TOOLS, "add_generation_prompt": True},
    "call": {"messages": [USER, CALLING, RESULT], "tools": TOOLS, "add_generation_prompt": True},
    "calls": {"messages": [SYSTEM, USER, CALLING, RESULT, ANSWER, USER, THOUGHT], "tools": TOOLS},
    "thought": {"messages": [USER, THOUGHT, USER], "add_generation_prompt": True, "enable_thinking": False},
    "reasoned": {"messages": [USER, dict(THOUGHT, content="ok", reasoning_content="\nwhy\n"), USER, dict(CALLING, content=None)]},
    "two calls": {"messages": [USER, {"role": "assistant", "content": "a", "tool_calls": [CALL, CALL]}, RESULT, RESULT], "tools": TOOLS[:1]},
    "text parts": {"messages": [{"role": "user", "content": [{"type": "text", "text": "part"}]}], "add_generation_prompt": True},
    "empty": {"messages": [{"role": "user", "content": ""}]},
    "two users": {"messages": [USER, USER], "date_string": "1 Jan 2030", "custom_tools": TOOLS, "tools_in_user_message": False},
}
MODELS = ["Qwen/Qwen1.5-72B-Chat", "Qwen/Qwen2.5-7B-Instruct", "Qwen/Qwen3-0.6B", "meta-llama/Llama-3.1-8B-Instruct",
          "meta-llama/Llama-3.2-11B-Vision-Instruct", "HuggingFaceTB/SmolLM3-3B", "HuggingFaceH4/zephyr-7b-beta (add_generation_prompt=true)",
          "NousResearch/Hermes-2-Pro-Llama-3-8B (JSON Schema)", "mistralai/Mistral-7B-Instruct-v0.3 (JSON Schema)",
          "CISCai/Mistral-7B-Instruct-v0.3-SOTA-GGUF", "zai-org/GLM-5.1", "openbmb/MiniCPM3-4B"]


class Noon(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2025, 7, 10, 12, 0, 0)


def line_of(error):
    if isinstance(error, jinja2.TemplateSyntaxError):
        return error.lineno
    if isinstance(error, SyntaxError):  # of the Python that Jinja2 makes: a break outside a loop
        return 1
    trace, line = error.__traceback__, None
    while trace is not None:  # Jinja2 rewrites the trace so that frames of the template have the template's lines
        if trace.tb_frame.f_code.co_filename == "<template>" or trace.tb_frame.f_code.co_name in ("top-level template code", "template"):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def outcome(source, data):
    try:
        compiled = chat_template_utils._compile_jinja_template(source)
        return {"text": compiled.render(**data)}
    except Exception as error:
        return {"line": line_of(error), "error": f"{type(error).__name__}: {error}"}


def main(vectors, target):
    chat_template_utils.datetime = Noon
    with open(f"{vectors}/chat_templates.json") as file:
        templates = json.load(file)["custom_templates"]
    result = {"versions": {name: importlib.metadata.version(name) for name in ("jinja2", "transformers")}, "data": DATA,
              "language": [], "conversations": CONVERSATIONS, "models": []}
    for source in LINES.strip("\n").split("\n") + BLOCKS:
        result["language"].append({"template": source, **outcome(source, DATA)})
    for name in MODELS:
        for shape, data in CONVERSATIONS.items():
            given = {"tools": None, "documents": None, "add_generation_prompt": False, "bos_token": "<s>", "eos_token": "</s>", **data}
            result["models"].append({"model": name, "conversation": shape, **outcome(templates[name]["chat_template"], given)})
    with open(target, "w") as file:
        json.dump(result, file, ensure_ascii=False, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
