// Shows openapi.json and lets the reader send requests. No dependency, nothing from elsewhere.
"use strict";

const EXAMPLE = { prompt: "A dhow sails past Lamu at sunset, slow pan left", duration: "5s", aspectRatio: "16:9", resolution: "720p" };

// Makes an element; children are text or elements, never markup.
function make(tag, attributes, ...children) {
  const element = Object.assign(document.createElement(tag), attributes);
  element.append(...children);
  return element;
}

// Text in which `backticks` mean code, as in the .proto comments.
function prose(text) {
  const parts = (text || "").split("`");
  return parts.map((part, number) => (number % 2 ? make("code", {}, part) : part));
}

const shortName = (ref) => ref.split("/").pop().split(".v1.").pop();
const anchor = (name) => "type-" + name.replace(/\W/g, "-");

function typeOf(schema) {
  if (schema.$ref) {
    const name = shortName(schema.$ref);
    return make("a", { href: "#" + anchor(name) }, name);
  }
  if (schema.type === "array") return make("span", {}, "list of ", typeOf(schema.items));
  if (schema.additionalProperties && schema.additionalProperties.type) {
    return make("span", {}, "map to ", typeOf(schema.additionalProperties));
  }
  if (schema.pattern) return make("span", {}, "duration");
  return make("span", {}, [].concat(schema.type).join(" or "));
}

function row(name, schema, text) {
  return make("tr", {}, make("td", {}, make("code", {}, name)), make("td", {}, typeOf(schema)),
    make("td", { className: "text" }, ...prose(text)));
}

function parameters(operation) {
  if (!operation.parameters.length) return [];
  const rows = operation.parameters.map((p) => row(p.name, p.schema, p.description));
  return [make("h3", {}, "Parameters"), make("table", {}, make("tbody", {}, ...rows))];
}

function bodyOf(operation) {
  const content = operation.requestBody && operation.requestBody.content["application/json"];
  return content ? [make("h3", {}, "Body: ", typeOf(content.schema))] : [];
}

function answers(operation) {
  const rows = Object.entries(operation.responses).map(([status, response]) => {
    const content = response.content && Object.entries(response.content)[0];
    const type = content ? typeOf(content[1].schema) : "";
    return make("tr", {}, make("td", {}, make("code", {}, status)), make("td", {}, type),
      make("td", { className: "text" }, ...prose(response.description)));
  });
  return [make("h3", {}, "Answers"), make("table", {}, make("tbody", {}, ...rows))];
}

async function send(method, path, operation, form, output) {
  const query = new URLSearchParams();
  const headers = {};
  for (const parameter of operation.parameters) {
    const value = form.elements[parameter.name].value.trim();
    if (!value) continue;
    if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, encodeURIComponent(value));
    else if (parameter.in === "header") headers[parameter.name] = value;
    else query.append(parameter.name, value);
  }
  const key = document.getElementById("key").value.trim();
  if (key) headers.Authorization = "Bearer " + key;
  const request = { method, headers };
  if (form.elements.body) {
    headers["Content-Type"] = "application/json";
    request.body = form.elements.body.value;
  }
  output.textContent = "…";
  const response = await fetch(path + (query.size ? "?" + query : ""), request);
  output.textContent = `${response.status} ${response.statusText}\n\n`;
  if ((response.headers.get("Content-Type") || "").startsWith("application/json")) {
    output.textContent += JSON.stringify(await response.json(), null, 2);
    return;
  }
  const reader = response.body && response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let part = reader && (await reader.read()); part && !part.done; part = await reader.read()) {
    output.textContent += part.value;
    output.scrollTop = output.scrollHeight;
  }
}

function tryIt(method, path, operation) {
  const output = make("pre", { ariaLive: "polite" });
  const fields = operation.parameters.map((p) =>
    make("label", {}, p.name, make("input", { name: p.name, required: Boolean(p.required) })));
  if (operation.requestBody) {
    const example = JSON.stringify(EXAMPLE, null, 2);
    fields.push(make("textarea", { name: "body", value: example, ariaLabel: "Request body", spellcheck: false }));
  }
  const form = make("form", { className: "try" }, ...fields, make("button", {}, "Send"), output);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(method.toUpperCase(), path, operation, form, output).catch((error) => {
      output.textContent = String(error);
    });
  });
  return make("details", {}, make("summary", {}, "Try it"), form);
}

function section(method, path, operation) {
  return make("section", { className: "operation", id: operation.operationId },
    make("header", {}, make("span", { className: "method " + method }, method.toUpperCase()),
      make("span", { className: "path" }, path), make("strong", {}, operation.operationId)),
    make("p", {}, ...prose(operation.summary)), ...parameters(operation), ...bodyOf(operation),
    ...answers(operation), tryIt(method, path, operation));
}

function typeSection(name, schema) {
  const required = new Set(schema.required || []);
  const rows = Object.entries(schema.properties || {}).map(([field, inner]) =>
    row(field + (required.has(field) ? " *" : ""), inner, inner.description));
  return make("section", { className: "type", id: anchor(shortName(name)) },
    make("strong", {}, shortName(name)), make("p", {}, ...prose(schema.description)),
    make("table", {}, make("tbody", {}, ...rows)));
}

async function show() {
  const api = await (await fetch("openapi.json")).json();
  document.getElementById("version").textContent = api.info.version;
  document.getElementById("about").append(...prose(api.info.description));
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      document.getElementById("operations").append(section(method, path, operation));
      const link = make("a", { href: "#" + operation.operationId }, operation.operationId);
      document.getElementById("index").append(make("li", {}, link));
    }
  }
  for (const [name, schema] of Object.entries(api.components.schemas)) {
    document.getElementById("types").append(typeSection(name, schema));
  }
}

show().catch((error) => {
  document.getElementById("about").textContent = "The document could not be loaded: " + error;
});
