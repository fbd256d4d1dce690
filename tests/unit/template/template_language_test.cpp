// What the template language refuses, with line and column, and the limits that keep a template from exhausting the
// machine. What it renders is in template_vectors_test.cpp and tests/golden.
#include <chrono>
#include <thread>

#include "fixtures.h"
#include "template/template.h"

namespace retort::jinja {
namespace {

using Json = nlohmann::ordered_json;

std::string render(const std::string& source, const Json& data = Json::object(), const RenderOptions& options = {}) {
  return Template::parse(source, "t").render(data, options);
}

std::string parse_error(const std::string& source) {
  return tests::error_of([&] { Template::parse(source, "t"); });
}

std::string render_error(const std::string& source, const Json& data = Json::object(),
                         const RenderOptions& options = {}) {
  const Template parsed = Template::parse(source, "t");
  return tests::error_of([&] { parsed.render(data, options); });
}

TEST(TemplateLanguage, UnsupportedSyntaxIsRefusedAtLoadWithItsPlace) {
  const std::pair<const char*, const char*> cases[] = {
      {"a\n{% include 'x' %}", "t:2:4: the tag 'include' is not supported here"},
      {"{% extends 'x' %}", "t:1:4: the tag 'extends'"},
      {"{% import 'x' as y %}", "t:1:4: the tag 'import'"},
      {"{% block x %}{% endblock %}", "t:1:4: the tag 'block'"},
      {"{% autoescape true %}{% endautoescape %}", "t:1:4: the tag 'autoescape'"},
      {"{% do x %}", "t:1:4: the tag 'do'"},
      {"ü{% for x in y recursive %}{% endfor %}", "t:1:16: recursive loops are not supported"},
      {"{{ x | escape }}", "t:1:8: the filter 'escape' is not supported"},
      {"{{ x | groupby('a') }}", "t:1:8: the filter 'groupby' is not supported"},
      {"{{ x is filter }}", "t:1:9: the test 'filter' is not supported"},
      {"{{ lipsum() }}", "t:1:4: 'lipsum' is not supported"},
      {"{{ x[1, 2] }}", "t:1:7: several items in brackets are not supported"},
      {"{{ '\\N{DASH}' }}", "t:1:5: the escape \\N is not supported"},
      {"{{ 0x10 }}", "t:1:4: numbers in other bases than ten are not supported"},
      {"{{ 99999999999999999999 }}", "t:1:4: expected an integer of 64 bits"},
      {"{% for x in y %}{% set z %}{% break %}{% endset %}{% endfor %}", "t:1:31: 'break' outside a loop"},
      {"{% if x %}\n{% else %}", "t:2:11: expected '{% endif %}', found the end of the template"},
      {"{{ x", "t:1:1: '{{' without '}}'"},
      {"{{ x }", "t:1:6: unexpected '}'"},
      {"\xff", "t:1:1: expected UTF-8, found the byte 255"}};
  for (const auto& [source, expected] : cases)
    EXPECT_TRUE(parse_error(source).starts_with(expected)) << source << "\n" << parse_error(source);
}

TEST(TemplateLanguage, ErrorsOfRenderingNameTheInnermostPlace) {
  const std::pair<const char*, const char*> cases[] = {
      {"a\n  {{ m.x.y }}", "t:2:10: 'dict object' has no attribute 'x'"},
      {"{{ 1 + (2 / 0) }}", "t:1:11: division by zero"},
      {"{% macro f(a) %}\n{{ a + 1 }}{% endmacro %}{{ f('x') }}", "t:2:6: unsupported operand types for +"},
      {"{% if true %}{{ raise_exception('no') }}{% endif %}", "t:1:17: the template refuses this input: no"},
      {"{{ l | map('nope') | list }}", "t:1:8: the filter 'nope' is not supported"},
      {"{{ 'x'.format(1) }}", "t:1:8: the attribute 'format' of a str is not supported"},
      {"{{ m.fromkeys }}", "t:1:6: the attribute 'fromkeys' of a dict is not supported"},
      {"{{ '%s' % 1 }}", "t:1:9: formatting with % is not supported"},
      {"{{ l | select }}", "t:1:1: expected a value to print, found a generator"},
      {"{{ namespace() }}", "t:1:1: expected a value to print, found a Namespace"},
      {"{{ 9223372036854775807 + 1 }}", "t:1:24: expected an integer of 64 bits, found a result beyond"},
      {"{% set a, b = [1] %}", "t:1:8: expected 2 values to take apart, found 1"}};
  const Json data = {{"m", {{"k", 1}}}, {"l", {1, 2}}};
  for (const auto& [source, expected] : cases)
    EXPECT_TRUE(render_error(source, data).starts_with(expected)) << source << "\n" << render_error(source, data);
}

TEST(TemplateLanguage, DataThatNoValueHoldsIsRefusedWithItsPointer) {
  EXPECT_EQ(render_error("x", Json::parse(R"({"a": [1, 18446744073709551615]})")),
            "/a/1: expected an integer of 64 bits, found 18446744073709551615");
  Json deep = 1;
  for (int i = 0; i < 200; ++i) deep = Json::array({std::move(deep)});
  EXPECT_TRUE(tests::contains(render_error("x", {{"a", deep}}), "expected at most 90 nested arrays and objects"));
  EXPECT_EQ(render_error("x", Json::array()), "expected an object of variables, found array");
}

std::string repeated(const std::string& text, int count) {
  std::string result;
  for (int i = 0; i < count; ++i) result += text;
  return result;
}

TEST(TemplateLimits, NestingOfTheSource) {
  for (const auto& source :
       {"{{ " + repeated("(", 20'000) + repeated(")", 20'000) + " }}", "{{ " + repeated("-", 20'000) + "1 }}",
        "{{ " + repeated("not ", 20'000) + "1 }}", "{{ " + repeated("[", 20'000) + repeated("]", 20'000) + " }}",
        repeated("{% if x %}", 20'000) + repeated("{% endif %}", 20'000), "{{ 1" + repeated(" + 1", 20'000) + " }}",
        "{{ x" + repeated(".x", 20'000) + " }}", "{{ x" + repeated(" | list", 20'000) + " }}",
        "{{ 1" + repeated(" if 1 else 1", 20'000) + " }}",
        "{% set " + repeated("(", 20'000) + "x" + repeated(")", 20'000) + " = 1 %}"})
    EXPECT_TRUE(tests::contains(parse_error(source), "expected")) << source.substr(0, 40);
  EXPECT_EQ(render("{{ 1" + repeated(" ~ 1", 5'000) + " }}").size(), 5'001U);
  EXPECT_EQ(render("{{ " + repeated("(", 40) + "1" + repeated(")", 40) + repeated(" + 1", 90) + " }}"), "91");
}

TEST(TemplateLimits, EndlessRecursionAndWork) {
  EXPECT_TRUE(tests::contains(render_error("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"), "nested evaluations"));
  EXPECT_TRUE(tests::contains(
      render_error("{% macro f() %}{% call f() %}{% endcall %}{% if caller %}{% endif %}{% endmacro %}{{ f() }}"),
      "nested evaluations"));
  RenderOptions small;
  small.limits.steps = 100'000;
  const std::string loops =
      "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}{% endfor %}{% "
      "endfor %}";
  EXPECT_TRUE(tests::contains(render_error(loops, Json::object(), small), "steps of evaluation"));
  EXPECT_TRUE(tests::contains(render_error("{{ 'x' * 999999999999 }}"), "bytes in total"));
  EXPECT_TRUE(tests::contains(render_error("{{ [[]] * 999999999999 }}"), "bytes in total"));
  EXPECT_TRUE(tests::contains(render_error("{{ 'x'.ljust(999999999999) }}"), "bytes in total"));
  const std::string doubling =
      "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}";
  small.limits.bytes = 1'000'000;
  EXPECT_TRUE(tests::contains(render_error(doubling, Json::object(), small), "bytes in total"));
  const std::string sharing =
      "{% set ns = namespace(s=[1]) %}{% for i in range(90) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s }}";
  EXPECT_TRUE(tests::contains(render_error(sharing, Json::object(), small), "steps of evaluation"));
  const std::string nesting =
      "{% set ns = namespace(s=[]) %}{% for i in range(9999) %}{% set ns.s = [ns.s] %}{% endfor %}";
  EXPECT_TRUE(tests::contains(render_error(nesting), "nested lists and objects"));
  small.limits.output = 10;
  EXPECT_TRUE(tests::contains(render_error("{{ 'x' * 11 }}", Json::object(), small), "prompt of at most 10 bytes"));
}

/// Namespaces, macros and loops that hold themselves: nothing stays behind, as the address sanitizer sees.
TEST(TemplateLimits, CyclesAreFreed) {
  EXPECT_EQ(
      render("{% set ns = namespace() %}{% set ns.a = ns %}{% set ns.b = [ns] %}{% for x in [1] %}{% set ns.l = "
             "loop %}{% macro m() %}{{ x }}{% endmacro %}{% set ns.m = m %}{% endfor %}{{ ns.m() }}{{ ns.l.index }}"),
      "11");
  const std::string chain =
      "{% set ns = namespace() %}{% for i in range(50000) %}{% set n2 = namespace(p=ns.p) %}{% set ns.p = n2 %}{% "
      "endfor %}done";
  EXPECT_EQ(render(chain), "done");
}

TEST(TemplateLanguage, OneTemplateRendersInSeveralThreads) {
  const Template parsed = Template::parse("{% for x in xs %}{{ x ~ 'a' | upper }}{% endfor %}", "t");
  const Json data = {{"xs", {1, "b", true}}};
  std::vector<std::string> results(4);
  std::vector<std::thread> threads;
  for (auto& result : results)
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) result = parsed.render(data);
    });
  for (auto& thread : threads) thread.join();
  for (const auto& result : results) EXPECT_EQ(result, "1AbATrueA");
}

TEST(TemplateLanguage, JavascriptSpelling) {
  RenderOptions options;
  options.dialect = Dialect::javascript;
  EXPECT_EQ(render("{{ true }} {{ none }} {{ ['a', null] }} {{ {'k': 1.5} }} {{ 1 + 'a' }} {{ 1 in [true] }}",
                   Json::object(), options),
            "true null [\"a\", null] {\"k\": 1.5} 1a false");
  EXPECT_EQ(render("{{ true }} {{ ['a', none] }} {{ {'k': 1.5} }} {{ 1 in [true] }}"),
            "True ['a', None] {'k': 1.5} True");
}

}  // namespace
}  // namespace retort::jinja
