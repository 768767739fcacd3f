"""What consumers accept, as JSON schemas: the parts that this package writes, and no others.

The published schemas allow much more; what they require, and the values they allow, is here.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string", "minLength": 1}
FROM_1: Schema = {"type": "integer", "minimum": 1}


def strict(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    """An object with these properties and no others."""
    return {
        "type": "object",
        "properties": required | (optional or {}),
        "required": list(required),
        "additionalProperties": False,
    }


def listed(items: Schema, **more: object) -> Schema:
    return {"type": "array", "items": items, **more}


# OASIS: Static Analysis Results Interchange Format (SARIF) Version 2.1.0

_MESSAGE = strict({"text": TEXT})
_REGION = strict(
    {"startLine": FROM_1, "startColumn": FROM_1, "endLine": FROM_1, "endColumn": FROM_1}
)
_FOUND = strict(_REGION["properties"], {"snippet": strict({"text": {"type": "string"}})})
_ARTIFACT = strict(
    {"uri": {"type": "string", "format": "uri-reference", "pattern": r"^[^\s\\]+$"}},
    {"uriBaseId": {"const": "%SRCROOT%"}},
)
_REPLACEMENT = strict(
    {"deletedRegion": _REGION}, {"insertedContent": strict({"text": {"type": "string"}})}
)
_CHANGE = strict({"artifactLocation": _ARTIFACT, "replacements": listed(_REPLACEMENT, minItems=1)})
_LOCATION = strict(
    {"physicalLocation": strict({"artifactLocation": _ARTIFACT, "region": _FOUND})},
    {"logicalLocations": listed(strict({"fullyQualifiedName": TEXT, "kind": TEXT}))},
)
_RELATED = strict(
    {
        "id": {"type": "integer", "minimum": 0},
        "message": _MESSAGE,
        "physicalLocation": strict(
            {"artifactLocation": _ARTIFACT, "region": strict({"startLine": FROM_1})}
        ),
    }
)
_LEVEL: Schema = {"enum": ["none", "note", "warning", "error"]}
_RULE = strict(
    {"id": TEXT},
    {
        "name": TEXT,
        "shortDescription": _MESSAGE,
        "fullDescription": _MESSAGE,
        "properties": strict(
            {
                "tags": listed(TEXT, uniqueItems=True),
                "precision": {"enum": ["very-high", "high", "medium", "low"]},
            }
        ),
        "help": _MESSAGE,
        "helpUri": {"type": "string", "format": "uri", "pattern": "^https://"},
        "defaultConfiguration": strict({"level": _LEVEL}),
    },
)
_RESULT = strict(
    {
        "ruleId": TEXT,
        "ruleIndex": {"type": "integer", "minimum": 0},
        "level": _LEVEL,
        "message": _MESSAGE,
        "locations": listed(_LOCATION),
    },
    {
        "partialFingerprints": {"type": "object", "additionalProperties": TEXT},
        "relatedLocations": listed(_RELATED, uniqueItems=True),
        "fixes": listed(
            strict({"artifactChanges": listed(_CHANGE, minItems=1)}, {"description": _MESSAGE}),
            uniqueItems=True,
        ),
    },
)
_DRIVER = strict(
    {
        "name": TEXT,
        "version": TEXT,
        "informationUri": {"type": "string", "format": "uri", "pattern": "^https://"},
        "rules": listed(_RULE, uniqueItems=True),
    }
)
_BASES: Schema = {
    "type": "object",
    "additionalProperties": strict({"uri": {"type": "string", "pattern": "^file:///(.*/)?$"}}),
}
SARIF = strict(
    {
        "$schema": TEXT,
        "version": {"const": "2.1.0"},
        "runs": listed(
            strict(
                {
                    "tool": strict({"driver": _DRIVER}),
                    "originalUriBaseIds": _BASES,
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "results": listed(_RESULT),
                }
            )
        ),
    }
)

# GitLab: Code Quality report format

GITLAB = listed(
    strict(
        {
            "description": TEXT,
            "check_name": TEXT,
            "fingerprint": TEXT,
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": strict(
                {
                    "path": {"type": "string", "pattern": r"^(?!\./|/)"},
                    "lines": strict({"begin": FROM_1}, {"end": FROM_1}),
                }
            ),
        }
    )
)

# reviewdog: proto/rdf/jsonschema/DiagnosticResult.json

_POSITION = strict({"line": FROM_1, "column": FROM_1})
_RANGE = strict({"start": _POSITION, "end": _POSITION})
RDJSON = strict(
    {
        "source": strict({"name": TEXT}),
        "severity": {"enum": ["UNKNOWN_SEVERITY", "ERROR", "WARNING", "INFO"]},
        "diagnostics": listed(
            strict(
                {
                    "message": TEXT,
                    "location": strict({"path": TEXT, "range": _RANGE}),
                    "severity": {"enum": ["ERROR", "WARNING"]},
                    "code": strict({"value": TEXT, "url": TEXT}),
                },
                {"suggestions": listed(strict({"range": _RANGE, "text": {"type": "string"}}))},
            )
        ),
    }
)
