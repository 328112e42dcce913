import { createFunction } from "./function.ts"

/**
 * JSON as `JSON.stringify(JSON.parse(text))` writes it, which is what the engine stores: no white space, numbers as
 * JavaScript shows them, strings with no more escapes than they need, keys in JavaScript's order (whole numbers first, then
 * as they came; of one that repeats the last value). So an input given in SQL equals the same input given in code, and a
 * workflow that is started from both is one.
 *
 * Limits: the order of keys is otherwise kept, not sorted, so it has to be that of the schema; texts with NUL or half of a
 * surrogate pair keep the escapes that they came with; a number beyond a double is an error.
 */
export const jsonText = (s: string): string =>
  createFunction({
    name: `${s}.json_text`,
    parameters: ["p_json json"],
    returns: "text",
    volatility: "STABLE",
    body: `
DECLARE
  v_text text;
BEGIN
  CASE json_typeof(p_json)
    WHEN 'object' THEN
      SELECT '{' || coalesce(string_agg(to_json(k.key)::text || ':' || ${s}.json_text(k.value), ','
        ORDER BY k.whole NULLS LAST, k.n), '') || '}'
      INTO v_text
      FROM (
        SELECT e.key, min(e.n) AS n, (array_agg(e.value ORDER BY e.n DESC))[1] AS value,
          CASE WHEN e.key ~ '^(0|[1-9][0-9]{0,9})$' AND e.key::numeric < 4294967295 THEN e.key::numeric END AS whole
        FROM json_each(p_json) WITH ORDINALITY AS e(key, value, n)
        GROUP BY e.key
      ) k;
    WHEN 'array' THEN
      SELECT '[' || coalesce(string_agg(${s}.json_text(e.value), ',' ORDER BY e.n), '') || ']' INTO v_text
      FROM json_array_elements(p_json) WITH ORDINALITY AS e(value, n);
    WHEN 'number' THEN
      v_text := ${s}.number_text(btrim(p_json::text, E' \\t\\n\\r'));
    WHEN 'string' THEN
      v_text := btrim(p_json::text, E' \\t\\n\\r');
      IF strpos(v_text, '\\') > 0 THEN
        BEGIN
          v_text := to_json(p_json #>> '{}')::text;
        EXCEPTION WHEN untranslatable_character OR invalid_text_representation THEN
          NULL;
        END;
      END IF;
    ELSE
      v_text := btrim(p_json::text, E' \\t\\n\\r');
  END CASE;
  RETURN v_text;
END`
  })

/**
 * A number as JavaScript shows the nearest double. PostgreSQL's digits tell it apart as well, but where they are many they
 * are not always the fewest: then one less is tried.
 */
export const numberText = (s: string): string =>
  createFunction({
    name: `${s}.number_text`,
    parameters: ["p_number text"],
    returns: "text",
    volatility: "STABLE",
    settings: ["extra_float_digits = 1"],
    body: `
DECLARE
  v_parts text[];
  v_digits text;
  v_point integer;
  v_count integer;
  v_fewer text;
BEGIN
  -- sign, digits before and after the point, exponent
  v_parts := regexp_match(p_number::double precision::text, '^(-?)([0-9]+)\\.?([0-9]*)(?:e([+-]?[0-9]+))?$');
  v_digits := v_parts[2] || v_parts[3];
  v_point := length(v_parts[2]) + coalesce(v_parts[4]::integer, 0)
    - (length(v_digits) - length(ltrim(v_digits, '0')));
  v_digits := btrim(v_digits, '0');
  v_count := length(v_digits);
  -- beyond 1e308 the one above may be none
  WHILE v_count >= 16 AND v_point < 309 LOOP
    v_fewer := round(v_digits::numeric / 10)::text;
    EXIT WHEN (v_fewer || 'e' || v_point - v_count + 1)::double precision <> (v_digits || 'e' || v_point - v_count)::double precision;
    v_point := v_point + length(v_fewer) - (v_count - 1);
    v_digits := rtrim(v_fewer, '0');
    v_count := length(v_digits);
  END LOOP;
  RETURN v_parts[1] || CASE
    WHEN v_count = 0 THEN '0'
    WHEN v_count <= v_point AND v_point <= 21 THEN v_digits || repeat('0', v_point - v_count)
    WHEN v_point BETWEEN 1 AND 21 THEN left(v_digits, v_point) || '.' || substr(v_digits, v_point + 1)
    WHEN v_point BETWEEN -5 AND 0 THEN '0.' || repeat('0', -v_point) || v_digits
    ELSE left(v_digits, 1) || CASE WHEN v_count > 1 THEN '.' || substr(v_digits, 2) ELSE '' END || 'e'
      || CASE WHEN v_point > 0 THEN '+' ELSE '-' END || abs(v_point - 1) END;
END`
  })
