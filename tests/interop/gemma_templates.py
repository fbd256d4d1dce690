#!/usr/bin/env python3
"""Writes tests/golden/gemma_templates.json: what Jinja2 makes of templates that speak as Gemma 3 and FunctionGemma do.

    python3 tests/interop/gemma_templates.py tests/golden/gemma_templates.json        # needs jinja2 3.1 alone

The templates are this project's own, for the forms that ai.google.dev/gemma/docs describes (core/prompt-structure,
functiongemma/formatting-and-best-practices), in the constructs that the published ones use: white space taken away on
both sides, messages[1:], content that is a string or a list of parts, recursive macros over JSON Schema with dictsort,
namespaces, upper, nested loops with loop.last, raise_exception. The environment is that of Transformers. A case has
either "text" or the "line" of its error.
"""
import json
import sys

import jinja2
import jinja2.ext
import jinja2.sandbox

GEMMA3 = r"""{{ bos_token }}
{%- set instructions = '' -%}
{%- set turns = messages -%}
{%- if messages[0]['role'] == 'system' -%}
    {%- set first = messages[0]['content'] -%}
    {%- set instructions = (first if first is string else first[0]['text']) + '\n\n' -%}
    {%- set turns = messages[1:] -%}
{%- endif -%}
{%- for message in turns -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception("turns must alternate") }}
    {%- endif -%}
    {%- set role = 'model' if message['role'] == 'assistant' else message['role'] -%}
    {{ '<start_of_turn>' + role + '\n' + (instructions if loop.first else '') }}
    {%- if message['content'] is string -%}
        {{ message['content'] | trim }}
    {%- elif message['content'] is iterable -%}
        {%- for part in message['content'] -%}
            {%- if part['type'] == 'image' -%}
                {{ '<start_of_image>' }}
            {%- elif part['type'] == 'text' -%}
                {{ part['text'] | trim }}
            {%- endif -%}
        {%- endfor -%}
    {%- else -%}
        {{ raise_exception("content of no known type") }}
    {%- endif -%}
    {{ '<end_of_turn>\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{ '<start_of_turn>model\n' }}
{%- endif -%}
"""

FUNCTION_GEMMA = r"""
{%- macro value_text(value, quoted_keys=false) -%}
    {%- if value is string -%}
        {{- '<escape>' + value + '<escape>' -}}
    {%- elif value is boolean -%}
        {{- 'true' if value else 'false' -}}
    {%- elif value is mapping -%}
        {{- '{' -}}
        {%- set place = namespace(behind=false) -%}
        {%- for key, inner in value | dictsort -%}
            {%- if place.behind -%},{%- endif -%}
            {%- set place.behind = true -%}
            {{- ('<escape>' ~ key ~ '<escape>') if quoted_keys else key -}}:{{- value_text(inner, quoted_keys) -}}
        {%- endfor -%}
        {{- '}' -}}
    {%- elif value is sequence -%}
        {{- '[' -}}
        {%- for inner in value -%}
            {{- value_text(inner, quoted_keys) -}}
            {%- if not loop.last -%},{%- endif -%}
        {%- endfor -%}
        {{- ']' -}}
    {%- else -%}
        {{- value -}}
    {%- endif -%}
{%- endmacro -%}
{%- macro schema_text(schema) -%}
    {{- '{' -}}
    {%- if schema.description %}description:{{ value_text(schema.description) }},{% endif -%}
    {%- if schema.enum %}enum:{{ value_text(schema.enum) }},{% endif -%}
    {%- if schema['items'] is mapping %}items:{{ schema_text(schema['items']) }},{% endif -%}
    {%- if schema.properties is defined and schema.properties -%}
        properties:{ {%- for name, property in schema.properties | dictsort -%}
            {{ name }}:{{ schema_text(property) }}
            {%- if not loop.last -%},{%- endif -%}
        {%- endfor -%} },
    {%- endif -%}
    {%- if schema.required %}required:{{ value_text(schema.required) }},{% endif -%}
    type:{{ value_text(schema.type | upper) }}
    {{- '}' -}}
{%- endmacro -%}
{%- macro declaration(tool) -%}
    {%- set function = tool['function'] -%}
    declaration:{{ function.name }}{description:{{ value_text(function.description) }}
    {%- if function.parameters -%},parameters:{{ schema_text(function.parameters) }}{%- endif -%} }
{%- endmacro -%}
{{ bos_token }}
{%- set state = namespace(before=none) -%}
{%- set turns = messages -%}
{%- if tools or messages[0]['role'] in ['system', 'developer'] -%}
    {{- '<start_of_turn>developer\n' -}}
    {%- if messages[0]['role'] in ['system', 'developer'] -%}
        {{- messages[0]['content'] | trim -}}
        {%- set turns = messages[1:] -%}
    {%- endif -%}
    {%- for tool in tools or [] -%}
        {{- '<start_function_declaration>' -}}{{- declaration(tool) | trim -}}{{- '<end_function_declaration>' -}}
    {%- endfor -%}
    {{- '<end_of_turn>\n' -}}
{%- endif -%}
{%- for message in turns -%}
    {%- if message['role'] == 'tool' -%}
        {{- '<start_function_response>response:' ~ message.name ~ value_text(message.content) ~ '<end_function_response>' -}}
        {%- set state.before = 'tool' -%}
    {%- else -%}
        {%- set role = 'model' if message['role'] == 'assistant' else message['role'] -%}
        {%- if state.before != 'tool' -%}{{- '<start_of_turn>' + role + '\n' -}}{%- endif -%}
        {%- if message.content is string -%}{{- message.content | trim -}}{%- endif -%}
        {%- for call in message.tool_calls or [] -%}
            {{- '<start_function_call>call:' + call.function.name + value_text(call.function.arguments) + '<end_function_call>' -}}
        {%- endfor -%}
        {%- if not message.tool_calls -%}{{- '<end_of_turn>\n' -}}{%- endif -%}
        {%- set state.before = 'call' if message.tool_calls else role -%}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt and state.before != 'tool' -%}{{- '<start_of_turn>model\n' -}}{%- endif -%}
"""

WEATHER = {"type": "function", "function": {
    "name": "get_current_weather", "description": "Gets the current weather in a given location.",
    "parameters": {"type": "object", "required": ["location"], "properties": {
        "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "description": "The unit to return the temperature in."},
        "location": {"type": "string", "description": 'The city and state, e.g. "San Francisco, CA" or "Tokyo, JP"'}}}}}
ALARM = {"type": "function", "function": {
    "name": "set_alarm", "description": "Sets <alarms> & \"timers\".",
    "parameters": {"type": "object", "properties": {
        "times": {"type": "array", "items": {"type": "object", "properties": {"hour": {"type": "integer"}, "Am": {"type": "boolean"}},
                                             "required": ["hour"]}},
        "label": {"type": "string", "enum": ["Früh", "spät"]}}}}}
STOP = {"type": "function", "function": {"name": "stop", "description": "Stops.", "parameters": {"type": "object", "properties": {}}}}
DEVELOPER = {"role": "developer", "content": "You are a model that can do function calling with the following functions"}
ASKED = {"role": "user", "content": "Hey, what's the weather in Tokyo right now?"}
CALL = {"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": "get_current_weather",
                                                                              "arguments": {"location": "Tokyo, Japan"}}}]}
RESULT = {"role": "tool", "name": "get_current_weather", "content": {"temperature": 15, "weather": "sunny"}}
SAID = {"role": "assistant", "content": "The current weather in Tokyo is sunny with a temperature of 15 degrees Celsius."}
MIXED = {"role": "assistant", "content": None, "tool_calls": [
    {"function": {"name": "set_alarm", "arguments": {"times": [{"hour": 7, "Am": True}, {"hour": 8.5}], "label": "Früh", "empty": [], "none": {}}}},
    {"function": {"name": "stop", "arguments": {}}}]}
USER, SYSTEM, ANSWER = {"role": "user", "content": "  Hallo,\nWelt! \n"}, {"role": "system", "content": "Be  brief. "}, {"role": "assistant", "content": "\tJa. "}
PARTS = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": " what is this? "}, {"type": "audio"}]}

CASES = {
    "gemma3": {
        "user": {"messages": [USER], "add_generation_prompt": True},
        "system": {"messages": [SYSTEM, USER, ANSWER, USER], "add_generation_prompt": True},
        "system in parts": {"messages": [{"role": "system", "content": [{"type": "text", "text": "Be brief."}]}, USER]},
        "parts": {"messages": [PARTS, ANSWER]},
        "two users": {"messages": [USER, USER]},
        "an assistant first": {"messages": [ANSWER]},
        "no content": {"messages": [{"role": "user", "content": 5}]},
        "empty": {"messages": [{"role": "user", "content": ""}], "add_generation_prompt": True},
        "system alone": {"messages": [SYSTEM], "add_generation_prompt": True},
        "no messages": {"messages": []},
    },
    "function_gemma": {
        "tools": {"messages": [DEVELOPER, ASKED], "tools": [WEATHER], "add_generation_prompt": True},
        "whole exchange": {"messages": [DEVELOPER, ASKED, CALL, RESULT, SAID], "tools": [WEATHER]},
        "result": {"messages": [DEVELOPER, ASKED, CALL, RESULT], "tools": [WEATHER], "add_generation_prompt": True},
        "nested": {"messages": [DEVELOPER, USER, MIXED], "tools": [ALARM, STOP, WEATHER]},
        "tools alone": {"messages": [USER], "tools": [STOP], "add_generation_prompt": True},
        "no tools": {"messages": [SYSTEM, USER, ANSWER]},
        "a tool without a type": {"messages": [USER], "tools": [{"function": {"name": "x", "description": "y", "parameters": {"properties": {"a": {}}}}}]},
    },
}


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def outcome(source, data):
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                                               extensions=[jinja2.ext.loopcontrols])
    environment.globals["raise_exception"] = raise_exception
    try:
        return {"text": environment.from_string(source).render(**data)}
    except Exception as error:
        trace, line = error.__traceback__, None
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == "<template>":
                line = trace.tb_lineno
            trace = trace.tb_next
        return {"line": line, "error": f"{type(error).__name__}: {error}"}


def main(target):
    templates = {"gemma3": GEMMA3, "function_gemma": FUNCTION_GEMMA}
    result = {"jinja2": jinja2.__version__, "templates": templates, "cases": []}
    for name, cases in CASES.items():
        for title, data in cases.items():
            given = {"tools": None, "documents": None, "add_generation_prompt": False, "bos_token": "<bos>", **data}
            result["cases"].append({"template": name, "title": title, "data": given, **outcome(templates[name], given)})
    with open(target, "w") as file:
        json.dump(result, file, ensure_ascii=False, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
