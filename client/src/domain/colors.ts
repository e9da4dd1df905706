/** Colours a person may write in a colour field. Anything else is shown as its text alone. */
export const isHexColor = (text: string): boolean => /^#(?:[0-9a-f]{3}|[0-9a-f]{6})$/i.test(text);
