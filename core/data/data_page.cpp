// Rows as HTML, and a few lines of script that hide what a filter leaves out.
#include "data/data_page.h"

#include <set>

#include "host/base/printable.h"
#include "host/report/report.h"
#include "host/report/report_style.h"
#include "task/row_file.h"

namespace retort::data {
namespace {

using host::escape_html;

constexpr const char* page_style = R"css(
.filters { display: flex; flex-wrap: wrap; gap: 10px; align-items: center; margin: 24px 0 14px; position: sticky; top: 0;
  background: var(--page); padding: 10px 0; border-bottom: 1px solid var(--rule); }
.filters select, .filters input { font: inherit; font-size: 14px; padding: 6px 10px; border: 1px solid var(--rule);
  border-radius: 8px; background: var(--card); color: var(--ink); max-width: 320px; }
.filters input { flex: 1 1 220px; }
.row { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 12px 16px; margin: 10px 0; }
.row header { color: var(--soft); font-size: 12.5px; display: flex; gap: 12px; flex-wrap: wrap; }
.row.bad { border-left: 3px solid var(--bad); }
.row header b { font-weight: 600; color: var(--ink); }
.chip { border: 1px solid var(--rule); border-radius: 999px; padding: 0 8px; max-width: 420px; overflow: hidden;
  text-overflow: ellipsis; white-space: nowrap; }
.turn { display: grid; grid-template-columns: 84px 1fr; gap: 10px; margin-top: 6px; }
.turn > span { color: var(--soft); font-size: 12.5px; padding-top: 2px; }
.turn > div { white-space: pre-wrap; overflow-wrap: anywhere; }
.turn.user > div { font-weight: 560; }
.turn.tool > div, .turn.raw > div { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 13.5px; }
.call { display: block; color: var(--accent); }
.none { color: var(--soft); padding: 40px 0; text-align: center; }
.row[hidden] { display: none; }
)css";

constexpr const char* page_script = R"js(
const rows = [...document.querySelectorAll('.row')], count = document.getElementById('count');
const controls = ['split', 'tool', 'kind', 'reason', 'text'].map(id => document.getElementById(id));
function filter() {
  const [split, tool, kind, reason, text] = controls.map(control => control.value);
  const wanted = text.toLowerCase();
  let shown = 0;
  for (const row of rows) {
    const fits = (!split || row.dataset.split === split) && (!tool || row.dataset.tools.split('\n').includes(tool)) &&
      (!kind || row.dataset.kind === kind) && (!reason || row.dataset.reason === reason) && (!wanted || row.textContent.toLowerCase().includes(wanted));
    row.hidden = !fits;
    shown += fits;
  }
  count.textContent = shown + ' of ' + rows.length + ' shown';
  document.getElementById('none').hidden = shown > 0;
}
controls.forEach(control => control.addEventListener('input', filter));
filter();
)js";

std::string shown_text(std::string_view text) {
  return escape_html(host::printable(text));
}

std::string turn(const std::string& role, const std::string& html) {
  return "<div class=\"turn " + role + "\"><span>" + role + "</span><div>" + html + "</div></div>";
}

std::string message_html(const task::Message& message) {
  std::string html = shown_text(message.content);
  for (const task::IdentifiedCall& one : message.tool_calls)
    html += "<code class=\"call\">" +
            escape_html(one.call.name + " " +
                        one.call.arguments.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)) +
            "</code>";
  if (html.empty()) html = "<span class=\"soft\">no call</span>";
  return turn(std::string(task::name_of(message.role)), html);
}

std::string options_html(const char* id, const char* all, const std::map<std::string, std::int64_t>& counts) {
  std::string html =
      std::string("<select id=\"") + id + "\" aria-label=\"" + id + "\"><option value=\"\">" + all + "</option>";
  for (const auto& [name, count] : counts)
    html +=
        "<option value=\"" + escape_html(name) + "\">" + shown_text(name) + " (" + std::to_string(count) + ")</option>";
  return html + "</select>";
}

/// What kind of fault it is, whatever the file, the place and the numbers; of bounded length.
std::string kind_of_fault(std::string reason) {
  constexpr std::size_t most = 90;
  for (std::size_t colon = reason.find(".jsonl: "); colon != std::string::npos; colon = reason.find(".jsonl: "))
    reason.erase(0, colon + 8);
  std::string kind = task::kind_of_reason(reason);
  if (kind.size() <= most) return kind;
  std::size_t end = most;
  while (end > 0 && (static_cast<unsigned char>(kind[end]) & 0xC0U) == 0x80U) --end;  // whole characters
  return kind.substr(0, end);
}

/// Metadata as labels; what is no text or number as JSON.
std::string chips_html(const nlohmann::json& metadata) {
  constexpr std::size_t most = 6;
  std::string html;
  std::size_t count = 0;
  for (const auto& item : metadata.items()) {
    if (++count > most) break;
    const std::string value = item.value().is_string()
                                  ? item.value().get<std::string>()
                                  : item.value().dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    const std::string text = shown_text(item.key() + ": " + value.substr(0, 200));
    html += "<span class=\"chip\" title=\"" + text + "\">" + text + "</span>";
  }
  return html;
}

}  // namespace

DataPage::Facts DataPage::facts_of(const DataRow& row) {
  Facts facts{row.split, {}, {}, {}};
  for (const task::Message& message : row.conversation.messages)
    for (const task::IdentifiedCall& one : message.tool_calls) facts.tools.insert(one.call.name);
  const std::size_t calls = labelled(row.conversation) ? row.conversation.messages.back().tool_calls.size() : 0;
  if (!row.reason.empty()) facts.reason = kind_of_fault(row.reason);
  facts.kind = !row.reason.empty()           ? "rejected"
               : !labelled(row.conversation) ? "unlabelled"
               : calls == 0                  ? "no call"
               : calls == 1                  ? "one call"
                                             : "several calls";
  return facts;
}

std::string DataPage::html_of(const DataRow& row, const Facts& facts) {
  std::string body, tools;
  for (const task::Message& message : row.conversation.messages) body += message_html(message);
  for (const std::string& tool : facts.tools) tools += (tools.empty() ? "" : "\n") + tool;
  if (body.empty()) body = turn("raw", "<code>" + shown_text(row.text.substr(0, 4000)) + "</code>");
  if (!row.reason.empty()) body = "<div class=\"error\">" + shown_text(row.reason) + "</div>" + body;
  return "<article class=\"row" + std::string(row.reason.empty() ? "" : " bad") + "\" data-split=\"" +
         escape_html(facts.split) + "\" data-tools=\"" + escape_html(tools) + "\" data-kind=\"" +
         escape_html(facts.kind) + "\" data-reason=\"" + escape_html(facts.reason) + "\"><header><b>" +
         shown_text(row.split) + ":" + std::to_string(row.line) + "</b>" + chips_html(row.conversation.metadata) +
         "</header>" + body + "</article>\n";
}

void DataPage::thin_out() {
  std::vector<std::string> fewer;
  for (std::size_t i = 0; i < kept_.size(); i += 2) fewer.push_back(std::move(kept_[i]));
  kept_ = std::move(fewer);
  stride_ *= 2;
}

void DataPage::take(const DataRow& row) {
  constexpr std::size_t most_reasons = 200;  // a longer list is no filter
  Facts facts = facts_of(row);
  if (reasons_.size() >= most_reasons && !reasons_.contains(facts.reason) && !facts.reason.empty())
    facts.reason = "another reason";
  ++splits_[facts.split];
  ++kinds_[facts.kind];
  for (const std::string& tool : facts.tools) ++tools_[tool];
  if (!row.reason.empty()) {
    ++all_rejected_;
    ++reasons_[facts.reason];
    if (rejected_.size() < most_rows_ / 2) rejected_.push_back(html_of(row, facts));
    return;
  }
  if (rows_++ % stride_ != 0) return;
  kept_.push_back(html_of(row, facts));
  if (kept_.size() > most_rows_) thin_out();
}

std::string DataPage::render() const {
  const auto tile = [](std::int64_t number, const char* what) {
    return "<div class=\"tile\"><b>" + std::to_string(number) + "</b><span>" + what + "</span></div>";
  };
  const std::string title = shown_text(title_);
  std::string html =
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\"><title>" +
      title + "</title><style>" + host::report_style + page_style + "</style></head><body><main><h1>" + title +
      "</h1><div class=\"tiles\">" + tile(rows_, "rows that can be used") + tile(all_rejected_, "rejected") +
      tile(static_cast<std::int64_t>(tools_.size()), "tools called") +
      tile(static_cast<std::int64_t>(splits_.size() - splits_.count("rejected")), "splits") + "</div>";
  if (stride_ > 1 || static_cast<std::int64_t>(rejected_.size()) < all_rejected_)
    html += "<p class=\"source\">This page holds every " + (stride_ == 1 ? "" : std::to_string(stride_) + "th ") +
            "row that can be used, and " + std::to_string(rejected_.size()) + " of " + std::to_string(all_rejected_) +
            " rejected ones; counts are of all.</p>";
  html +=
      "<div class=\"filters\">" + options_html("split", "every split", splits_) +
      options_html("tool", "every tool", tools_) + options_html("kind", "every kind", kinds_) +
      (reasons_.empty() ? "<input id=\"reason\" type=\"hidden\">" : options_html("reason", "every reason", reasons_)) +
      "<input id=\"text\" type=\"search\" aria-label=\"words in a row\" placeholder=\"words in a row\"><span "
      "id=\"count\" class=\"soft\"></span></div>";
  for (const std::string& row : rejected_) html += row;
  for (const std::string& row : kept_) html += row;
  return html + "<p id=\"none\" class=\"none\" hidden>No row fits these filters.</p></main><script>" + page_script +
         "</script></body></html>\n";
}

}  // namespace retort::data
